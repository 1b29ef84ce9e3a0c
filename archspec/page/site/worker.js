// Python in a worker: the checker, compiled, with what it imports.
import { loadPyodide } from "./pyodide/pyodide.mjs";

// `tarfile.extractall` would take twice as long: it sets times, modes and owners.
const UNPACK = `
import io, pathlib, sysconfig, tarfile
from compression import zstd
root = pathlib.Path(sysconfig.get_path("purelib"))
made = set()
with tarfile.open(fileobj=io.BytesIO(zstd.decompress(packed.to_py())), mode="r:") as archive:
    for entry in archive:
        place = root / entry.name
        if place.parent not in made:
            place.parent.mkdir(parents=True, exist_ok=True)
            made.add(place.parent)
        place.write_bytes(archive.extractfile(entry).read())
del packed
`;

// Every row times every column, both of one length: twenty times as fast as in Python.
function multiply(rows, columns, made, inner) {
  const buffers = [rows, columns, made].map((one) => one.getBuffer("f64"));
  const [x, y, z] = buffers.map((one) => one.data);
  let at = 0;
  for (let i = 0; i < x.length; i += inner) {
    for (let j = 0; j < y.length; j += inner) {
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += x[i + k] * y[j + k];
      z[at++] = sum;
    }
  }
  for (const one of buffers) one.release();
}

async function archive(name) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function start() {
  const archives = ["packages.tar.zst", "archspec.tar.zst"].map(archive);
  const python = await loadPyodide({ indexURL: new URL("pyodide/", self.location).href });
  for (const one of archives) {
    python.globals.set("packed", await one);
    python.runPython(UNPACK);
  }
  python.runPython("from archspec.page import browser");
  const browser = python.globals.get("browser");
  browser.start(multiply);
  return browser.ask;
}

const started = start();
started.then(() => postMessage({ ready: true }), (error) => postMessage({ failed: String(error) }));

onmessage = async ({ data: { id, request } }) => {
  try {
    const ask = await started;
    postMessage({ id, answer: ask(request) });
  } catch (error) {
    postMessage({ id, error: String(error) });
  }
};
