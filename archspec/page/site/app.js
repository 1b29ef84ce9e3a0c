// The page: what is typed is checked once it rests, and the last result stays until the next one is there.
import { checker } from "./checker.js";
import { makeEditor, makeReader } from "./editor.js";
import { fromFragment, toFragment } from "./link.js";
import { makeSizes } from "./sizes.js";
import { makeTabs } from "./tabs.js";

const REST = 120;
// A check that takes longer is given up once the text is another one.
const PATIENCE = 8000;
const FIRST = "gpt2";
const TABS = [
  { key: "verdicts", title: "Verdicts", parts: ["findings", "verdicts", "picture"] },
  { key: "masks", title: "Masks", parts: ["masks"] },
  { key: "relations", title: "Dependence", parts: ["relations"] },
  { key: "tree", title: "Parts", parts: ["tree"] },
  { key: "costs", title: "Costs", parts: ["costs"] },
  { key: "module", title: "PyTorch", parts: ["module"] },
];
const $ = (id) => document.getElementById(id);
const isServed = document.querySelector('meta[name="answers"]').content === "server";

const asked = checker();
const state = { file: "spec.yaml", text: "", version: 0, asked: 0, last: null, filled: {}, isBusy: false, onDisk: null, module: "" };
const began = performance.now();
$("summary").textContent = "";

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// ---- what is asked

let editor = null;
let timer = 0;
function changed(text) {
  state.text = text;
  state.version += 1;
  document.body.dataset.settled = "no";
  $("damaged").hidden = true;
  clearTimeout(timer);
  timer = setTimeout(() => { keepInAddress(); hurry(); work(); }, REST);
  noteDisk();
}

// What is asked of an older text is given up once it has taken long, however long after the last letter.
function hurry() {
  if (!state.isBusy || state.asked === state.version) return;
  asked.giveUp(PATIENCE);
  setTimeout(hurry, 500);
}

// One request at a time: whatever was typed or opened meanwhile is asked next.
async function work() {
  if (state.isBusy) return;
  state.isBusy = true;
  const results = $("results");
  try {
    for (let next = wanted(); next !== null; next = wanted()) {
      document.body.dataset.settled = "no";
      results.setAttribute("aria-busy", "true");
      state.asked = state.version;
      await next();
    }
  } finally {
    state.isBusy = false;
    results.removeAttribute("aria-busy");
  }
  document.body.dataset.settled = state.last === null || state.last.version === state.version ? "yes" : "no";
}

function wanted() {
  if (state.file === "") return null;
  const tab = TABS.find((one) => one.key === tabs.shown());
  if (state.last === null || state.last.version !== state.version) return check;
  const missing = tab.parts.find((part) => state.filled[part] !== filling(part));
  return missing === undefined ? null : () => fill(missing);
}

// What a part on the screen is of: the version of the text, and for costs the sizes.
function filling(part) {
  return part === "costs" ? `${state.version} ${JSON.stringify(sizes.sizes())}` : `${state.version}`;
}

function request(parts) {
  return { ask: "answer", text: state.text, file: state.file, parts, sizes: sizes.sizes() };
}

async function check() {
  const version = state.version;
  const start = performance.now();
  let answer;
  try {
    answer = await asked.ask(request(["findings", "verdicts"]));
  } catch (error) {
    if (version !== state.version) return undefined;
    state.last = { version, loads: false, findings: [] };
    for (const part of TABS.flatMap((tab) => tab.parts)) state.filled[part] = filling(part);
    return broken(error);
  }
  if (version !== state.version) return undefined;
  const took = performance.now() - (state.last === null ? began : start);
  state.last = { ...answer, version };
  editor.mark(answer.findings);
  sizes.update(answer.loads ? answer.dims : {});
  for (const part of ["findings", "verdicts"]) put(part, answer.parts[part]);
  status(answer, took);
  // A text that does not load has no parts: those of the last one that did stay.
  if (!answer.loads) for (const part of TABS.flatMap((tab) => tab.parts)) state.filled[part] = filling(part);
  return undefined;
}

async function fill(part) {
  const now = filling(part);
  const version = state.version;
  try {
    const answer = await asked.ask(request([part]));
    if (version === state.version) put(part, answer.parts[part], now);
  } catch (error) {
    if (version !== state.version) return;
    // The verdict stands: only this part of the answer has failed.
    put(part, undefined, now);
    $(`part-${part}`).replaceChildren(element("p", { className: "notice", textContent: mistake(error) }));
  }
}

function mistake(error) {
  return `The checker failed, which is a mistake in it or in this page: ${error.message}`;
}

// ---- what is shown

function put(part, content, now = filling(part)) {
  state.filled[part] = now;
  if (part === "module") return void putModule(content);
  const place = $(`part-${part}`);
  if (content === undefined) return;
  // Fragments escape all text, and the policy of the page runs no script that is written into it.
  place.innerHTML = content;
  if (part === "findings") linkFindings(place);
}

let showModule = null;
async function putModule(content) {
  state.module = content ?? "";
  showModule ??= await makeReader($("module-text"));
  $("part-module").hidden = content === undefined;
  $("module-none").hidden = content !== undefined;
  showModule(content ?? "");
}

function linkFindings(place) {
  const items = place.querySelectorAll(".findings > li");
  state.last.findings.forEach((found, k) => {
    if (found.from === null || items[k] === undefined) return;
    const button = element("button", { type: "button", className: "goto", textContent: `Go to line ${found.line}` });
    button.addEventListener("click", () => editor.goTo(found.from, found.to));
    items[k].append(button);
    if (!found.help) return;
    const mend = element("button", { type: "button", className: "goto", textContent: "Mend" });
    mend.addEventListener("click", async () => {
      if (!(await mended(found))) Object.assign(mend, { textContent: "No edit is known", disabled: true });
    });
    items[k].append(" ", mend);
  });
}

// Applies the first edit after which the finding is gone; false where there is none.
async function mended(found) {
  const { text } = state;
  const [fix] = await asked.ask({ ask: "fixes", text, file: state.file, at: found.from, end: found.to });
  if (fix === undefined || text !== state.text) return fix !== undefined;
  editor.edit(fix.from, fix.to, fix.text);
  return true;
}

// What the editor asks at a place of its text.
const assistance = {
  hover: (text, at) => asked.ask({ ask: "hover", text, file: state.file, at }),
  completions: (text, at) => asked.ask({ ask: "completions", text, file: state.file, at }),
};

function status(answer, took) {
  const verdict = $("verdict");
  verdict.className = `badge ${answer.holds ? "good" : "bad"}`;
  verdict.textContent = answer.holds ? "✓ holds" : "✗ does not hold";
  $("summary").textContent = answer.summary;
  const seconds = (took / 1000).toFixed(2);
  if ($("time").textContent !== `in ${seconds} s`) $("time").textContent = `in ${seconds} s`;
  $("note").hidden = !answer.note;
  $("note").textContent = answer.note ?? "";
  document.title = `${answer.holds ? "✓" : "✗"} ${answer.name || state.file}`;
  isStale(!answer.loads);
}

function isStale(is) {
  for (const one of document.querySelectorAll(".stale")) one.hidden = !is;
}

function broken(error) {
  $("verdict").className = "badge bad";
  $("verdict").textContent = "✗ no answer";
  $("summary").textContent = "";
  $("time").textContent = "";
  $("note").hidden = false;
  $("note").textContent = mistake(error);
  // Findings are of a text, and of this one none are known.
  $("part-findings").replaceChildren();
  editor?.mark([]);
  isStale(true);
}

// ---- the file

async function keepInAddress() {
  if (isServed) return;
  try {
    history.replaceState(null, "", await toFragment(state.text));
  } catch {
    // Too long for a link, or edited more often than the browser lets the address change: the next edit is kept again.
  }
}

function open(file, text) {
  state.file = file;
  $("file").textContent = file;
  editor.replace(text);
  changed(text);
}

function noteDisk() {
  if (!isServed || state.onDisk === null) return;
  $("unsaved").hidden = state.text === state.onDisk;
}

async function watchDisk() {
  let version = "";
  for (;;) {
    try {
      const response = await fetch(`file?after=${encodeURIComponent(version)}`);
      if (!response.ok) throw new Error(response.statusText);
      const found = await response.json();
      $("gone").hidden = true;
      if (found.version !== version) {
        version = found.version;
        state.onDisk = found.text;
        open(found.file, found.text);
      }
    } catch {
      $("gone").hidden = false;
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}

async function fillStart() {
  const specs = await (await fetch("specs.json")).json();
  for (const [name, about] of Object.entries(specs)) {
    $("start").append(element("option", { value: name, textContent: name, title: about }));
  }
  $("start").addEventListener("change", async () => {
    const name = $("start").value;
    if (name) open(`${name}.yaml`, await (await fetch(`specs/${name}.yaml`)).text());
    $("start").value = "";
  });
}

async function firstText() {
  try {
    const text = await fromFragment(location.hash);
    if (text !== null) return ["spec.yaml", text];
  } catch {
    damaged();
  }
  return [`${FIRST}.yaml`, await (await fetch(`specs/${FIRST}.yaml`)).text()];
}

// Said until another text is there.
function damaged() {
  $("damaged").hidden = false;
}

function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

async function copy(button, text) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Copy the address above";
  }
  setTimeout(() => { button.textContent = before; }, 2000);
}

// ---- the parts of the page

const tabs = makeTabs($("tabs"), $("panels"), TABS, () => work());
const stale = () => element("p", { className: "stale", hidden: true, textContent: "Of the last text that could be read." });
for (const tab of TABS) {
  for (const part of tab.parts) {
    if (part === "verdicts") tabs.panel(tab.key).append(stale());
    tabs.panel(tab.key).append(element("div", { id: `part-${part}`, className: "part" }));
  }
  if (tab.key !== "verdicts") tabs.panel(tab.key).prepend(stale());
}
tabs.panel("costs").prepend(element("fieldset", { id: "sizes" }));
const sizes = makeSizes($("sizes"), () => work());
const moduleCopy = element("button", { type: "button", textContent: "Copy" });
const moduleSave = element("button", { type: "button", textContent: "Download" });
$("part-module").append(element("p", {}, moduleCopy, " ", moduleSave), element("div", { id: "module-text" }));
$("part-module").before(element("p", { id: "module-none", hidden: true, textContent: "No module is emitted from a spec that does not hold." }));
for (const [id, words] of [
  ["unsaved", "Edits here are not written to the file. Download them, or edit the file: this page follows it."],
  ["gone", "archspec view has ended: what is shown is its last answer."],
  ["damaged", "The link is damaged: it holds no spec."],
]) $("note").after(element("p", { id, hidden: true, textContent: words, className: "notice" }));

const [file, text] = isServed ? ["", ""] : await firstText();
editor = await makeEditor($("editor"), text, changed, assistance);
state.file = file;
state.text = text;
$("file").textContent = file;
moduleSave.addEventListener("click", () => download("model.py", state.module));
moduleCopy.addEventListener("click", () => copy(moduleCopy, state.module));
$("save").addEventListener("click", () => download(state.file, state.text));
$("copy").addEventListener("click", async () => {
  const fragment = await toFragment(state.text).catch(() => null);
  if (fragment === null) return void ($("copy").textContent = "Too long for a link");
  history.replaceState(null, "", fragment);
  copy($("copy"), new URL(fragment, location.href).href);
});
addEventListener("hashchange", async () => {
  const found = await fromFragment(location.hash).catch(() => damaged());
  if (typeof found === "string" && found !== state.text) open("spec.yaml", found);
});
if (isServed) {
  $("copy").hidden = true;
  $("start-label").hidden = true;
  tabs.show("verdicts");
  watchDisk();
} else {
  fillStart();
  asked.ready.catch(broken);
  tabs.show("verdicts");
}
