// Runs in Node.js: Pyodide compiles Python files to the form that it imports fastest.
// node compile.mjs PYODIDE_FOLDER SOURCES ARCHIVE
import path from "node:path";
import { pathToFileURL } from "node:url";

const [pyodide, sources, archive] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(path.join(pyodide, "pyodide.mjs")));
const python = await loadPyodide({ indexURL: pyodide + path.sep });
for (const [place, folder] of [["/sources", sources], ["/made", path.dirname(archive)]]) {
  python.FS.mkdirTree(place);
  python.FS.mount(python.FS.filesystems.NODEFS, { root: folder }, place);
}
python.globals.set("archive", "/made/" + path.basename(archive));
python.runPython(`
import sys
sys.path.insert(0, "/sources/archspec/page")
from compiling import compile_folder
compile_folder("/sources", archive, "zst", level=20)
`);
process.exit(0);
