// Who answers: Python in a worker, or the Python that serves the page. Both take one request at a time.

class InWorker {
  constructor() {
    this.worker = new Worker("worker.js", { type: "module" });
    this.waiting = new Map();
    this.count = 0;
    this.ready = new Promise((resolve, reject) => {
      this.worker.onmessage = ({ data }) => {
        if (data.ready) return resolve();
        if (data.failed) return reject(new Error(data.failed));
        const { resolve: give, reject: refuse } = this.waiting.get(data.id);
        this.waiting.delete(data.id);
        if (data.error) refuse(new Error(data.error));
        else give(JSON.parse(data.answer));
      };
      this.worker.onerror = (event) => reject(new Error(event.message || "the worker could not be started"));
    });
  }

  async ask(request) {
    await this.ready;
    const id = this.count++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, request: JSON.stringify(request) });
    });
  }
}

class OnServer {
  constructor() {
    this.ready = Promise.resolve();
  }

  async ask(request) {
    const headers = { "Content-Type": "application/json" };
    const response = await fetch("answer", { method: "POST", headers, body: JSON.stringify(request) });
    if (!response.ok) throw new Error(await response.text());
    return response.json();
  }
}

export function checker() {
  return document.querySelector('meta[name="answers"]').content === "server" ? new OnServer() : new InWorker();
}
