// Who answers: Python in a worker, or the Python that serves the page. Both take one request at a time.

class InWorker {
  constructor() {
    this.count = 0;
    this.start();
  }

  start() {
    const worker = new Worker("worker.js", { type: "module" });
    this.worker = worker;
    this.waiting = new Map();
    this.ready = new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => {
        if (data.ready) resolve();
        else if (data.failed) reject(new Error(data.failed));
        else this.take(data);
      };
      worker.onerror = (event) => reject(new Error(event.message || "the worker could not be started"));
    });
  }

  take({ id, answer, error }) {
    const { resolve, reject } = this.waiting.get(id);
    this.waiting.delete(id);
    if (error === undefined) return resolve(JSON.parse(answer));
    // An interpreter that failed, as for want of memory, may fail at everything from then on.
    this.restart("");
    return reject(new Error(error));
  }

  restart(reason) {
    this.worker.terminate();
    const { waiting } = this;
    this.start();
    for (const { reject } of waiting.values()) reject(new Error(reason));
  }

  // Start anew if a request has been waiting for so many milliseconds.
  giveUp(patience) {
    const since = Math.min(...[...this.waiting.values()].map((one) => one.since));
    if (performance.now() - since > patience) this.restart("the check took too long");
  }

  async ask(request) {
    await this.ready;
    const id = this.count++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, since: performance.now() });
      this.worker.postMessage({ id, request: JSON.stringify(request) });
    });
  }
}

class OnServer {
  ready = Promise.resolve();

  giveUp() {}

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
