// Runs in Node.js: Pyodide compiles Python files to the form that it imports fastest.
// node compile.mjs PYODIDE_FOLDER COMPILING_PY SOURCES ARCHIVE
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [pyodide, compiling, sources, archive] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(path.join(pyodide, "pyodide.mjs")));
const python = await loadPyodide({ indexURL: pyodide + path.sep });
for (const [place, folder] of [["/sources", sources], ["/made", path.dirname(archive)]]) {
  python.FS.mkdirTree(place);
  python.FS.mount(python.FS.filesystems.NODEFS, { root: folder }, place);
}
python.runPython(fs.readFileSync(compiling, "utf8"));
python.globals.get("compile_folder").callKwargs("/sources", `/made/${path.basename(archive)}`, "zst", { level: 19 });
process.exit(0);
