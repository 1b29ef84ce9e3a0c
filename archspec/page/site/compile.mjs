// Runs in Node.js: Pyodide compiles Python files to the form that it imports fastest: a folder, or the standard library.
// node compile.mjs PYODIDE_FOLDER COMPILING_PY SOURCES ARCHIVE
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [pyodide, compiling, sources, archive] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(path.join(pyodide, "pyodide.mjs")));
// Which part of a line failed is a quarter of a compiled file.
const python = await loadPyodide({ indexURL: pyodide + path.sep, env: { PYTHONNODEBUGRANGES: "1" } });
const isLibrary = fs.statSync(sources).isFile();
for (const [place, folder] of [["/sources", isLibrary ? path.dirname(sources) : sources], ["/made", path.dirname(archive)]]) {
  python.FS.mkdirTree(place);
  python.FS.mount(python.FS.filesystems.NODEFS, { root: folder }, place);
}
python.runPython(fs.readFileSync(compiling, "utf8"));
const made = `/made/${path.basename(archive)}`;
if (isLibrary) python.globals.get("compile_library")(`/sources/${path.basename(sources)}`, made);
else python.globals.get("compile_folder").callKwargs("/sources", made, "zst", { level: 19 });
process.exit(0);
