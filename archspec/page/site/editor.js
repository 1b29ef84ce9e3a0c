// The editor: CodeMirror with the findings underlined, or a plain field of text where its packages are not there.

const KINDS = {
  field: "property", word: "enum", block: "class", value: "variable", number: "constant",
  type: "type", mask: "function", function: "function", file: "text", rule: "keyword",
};

export async function makeEditor(parent, text, onChange, assistance) {
  if (document.querySelector('meta[name="editor"]').content !== "yes") return plain(parent, text, onChange);
  const [state, view, language, commands, lint, yaml, search, highlight, autocomplete] = await Promise.all([
    import("@codemirror/state"), import("@codemirror/view"), import("@codemirror/language"),
    import("@codemirror/commands"), import("@codemirror/lint"), import("@codemirror/lang-yaml"),
    import("@codemirror/search"), import("@lezer/highlight"), import("@codemirror/autocomplete"),
  ]);
  const theme = look(view, language, highlight);
  const fromOutside = state.Annotation.define();
  const editor = new view.EditorView({
    parent,
    state: state.EditorState.create({
      doc: text,
      extensions: [
        view.lineNumbers(), view.highlightActiveLineGutter(), view.highlightSpecialChars(), commands.history(),
        view.drawSelection(), language.indentOnInput(), language.bracketMatching(), yaml.yaml(), lint.lintGutter(),
        search.highlightSelectionMatches(), told(view, assistance), completed(autocomplete, assistance),
        view.keymap.of([...lint.lintKeymap, ...search.searchKeymap, ...commands.historyKeymap, ...commands.defaultKeymap]),
        view.EditorView.contentAttributes.of({ "aria-label": "Spec in YAML", spellcheck: "false", tabindex: "0" }),
        view.EditorView.updateListener.of((update) => {
          const ours = update.transactions.some((one) => one.annotation(fromOutside));
          if (update.docChanged && !ours) onChange(update.state.doc.toString());
        }),
        ...theme,
      ],
    }),
  });
  return {
    text: () => editor.state.doc.toString(),
    replace: (next) => editor.dispatch({
      changes: { from: 0, to: editor.state.doc.length, insert: next }, annotations: fromOutside.of(true),
    }),
    mark: (findings) => editor.dispatch(lint.setDiagnostics(editor.state, marks(findings, editor.state.doc.length))),
    edit: (from, to, insert) => editor.dispatch({ changes: { from, to, insert } }),
    goTo: (from, to) => {
      editor.dispatch({ selection: { anchor: from, head: to }, effects: view.EditorView.scrollIntoView(from, { y: "center" }) });
      editor.focus();
    },
  };
}

// What stands under the pointer: its type, its shape, what is proved of it.
function told(view, assistance) {
  return view.hoverTooltip(async (editor, at) => {
    const text = editor.state.doc.toString();
    const found = await assistance.hover(text, at).catch(() => null);
    if (found === null || editor.state.doc.toString() !== text) return null;
    return { pos: found.from, end: found.to, above: true, create: () => ({ dom: written(found.text) }) };
  });
}

function completed(autocomplete, assistance) {
  const source = async (context) => {
    if (!context.explicit && context.matchBefore(/[\w.-]+$/) === null) return null;
    const found = await assistance.completions(context.state.doc.toString(), context.pos).catch(() => []);
    if (context.aborted || found.length === 0) return null;
    const options = found.map((one) => ({
      label: one.label, type: KINDS[one.kind], detail: one.detail, info: one.about || undefined, apply: one.text,
    }));
    return { from: found[0].from, to: found[0].to, options, validFor: /^[\w.-]*$/ };
  };
  return autocomplete.autocompletion({ override: [source], icons: false });
}

// Markdown as far as it is written here: paragraphs, lists, code, bold. Text stays text.
function written(markdown) {
  const box = document.createElement("div");
  box.className = "told";
  for (const block of markdown.split(/\n{2,}/)) {
    const fenced = /^```\w*\n([\s\S]*?)\n?```$/.exec(block);
    const place = box.appendChild(document.createElement(fenced ? "pre" : "p"));
    if (fenced) place.textContent = fenced[1];
    else for (const part of block.replace(/^- /gm, "• ").split(/(`[^`]+`|\*\*[^*]+\*\*)/)) {
      const name = part.startsWith("`") ? "code" : part.startsWith("**") ? "strong" : null;
      if (name === null) place.append(part);
      else place.appendChild(document.createElement(name)).textContent = part.replace(/^(`|\*\*)|(`|\*\*)$/g, "");
    }
  }
  return box;
}

// A field that shows Python and is not written to.
export async function makeReader(parent) {
  const lines = document.createElement("pre");
  if (document.querySelector('meta[name="editor"]').content !== "yes") {
    parent.replaceChildren(lines);
    return (text) => { lines.textContent = text; };
  }
  const [state, view, language, python, commands, search, highlight] = await Promise.all([
    import("@codemirror/state"), import("@codemirror/view"), import("@codemirror/language"),
    import("@codemirror/lang-python"), import("@codemirror/commands"), import("@codemirror/search"), import("@lezer/highlight"),
  ]);
  const extensions = [
    view.lineNumbers(), python.python(), state.EditorState.readOnly.of(true),
    view.keymap.of([...search.searchKeymap, ...commands.defaultKeymap]),
    view.EditorView.contentAttributes.of({ "aria-label": "The PyTorch module", tabindex: "0" }), ...look(view, language, highlight),
  ];
  const reader = new view.EditorView({ parent, extensions });
  return (text) => {
    if (text !== reader.state.doc.toString()) reader.setState(state.EditorState.create({ doc: text, extensions }));
  };
}

// Findings of this file as CodeMirror's diagnostics. A finding about another file, or about the whole, is listed only.
function marks(findings, length) {
  return findings.filter((one) => one.from !== null).map((one) => {
    const from = Math.min(one.from, length);
    const lines = [`${one.code}: ${one.message}`, one.label, ...one.notes, one.help ? `help: ${one.help}` : ""];
    return {
      from, to: Math.max(from, Math.min(one.to, length)), severity: one.severity, source: "archspec",
      message: lines.filter(Boolean).join("\n"),
    };
  }).sort((a, b) => a.from - b.from);
}

function look(view, language, highlight) {
  const { tags } = highlight;
  const style = language.HighlightStyle.define([
    { tag: [tags.definition(tags.propertyName), tags.propertyName], color: "var(--name)" },
    { tag: [tags.keyword, tags.operator, tags.modifier], color: "var(--word)" },
    { tag: [tags.string, tags.special(tags.string)], color: "var(--text)" },
    { tag: [tags.number, tags.bool, tags.null], color: "var(--number)" },
    { tag: tags.comment, color: "var(--grey)", fontStyle: "italic" },
    { tag: [tags.function(tags.definition(tags.variableName)), tags.definition(tags.className), tags.className], color: "var(--name)" },
  ]);
  const theme = view.EditorView.theme({
    "&": { color: "var(--ink)", backgroundColor: "var(--paper)", height: "100%", fontSize: "14px" },
    ".cm-scroller": { fontFamily: "ui-monospace, 'SF Mono', Menlo, Consolas, 'Liberation Mono', monospace", lineHeight: "1.5" },
    ".cm-content": { caretColor: "var(--ink)" },
    ".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--ink)" },
    "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground, ::selection": { backgroundColor: "var(--selected)" },
    ".cm-gutters": { backgroundColor: "var(--shade)", color: "var(--grey)", border: "none" },
    ".cm-activeLineGutter": { backgroundColor: "var(--line)", color: "var(--ink)" },
    ".cm-tooltip, .cm-panels": { backgroundColor: "var(--shade)", color: "var(--ink)", border: "1px solid var(--line)" },
    ".cm-diagnostic": { whiteSpace: "pre-wrap", maxWidth: "32rem" },
    ".cm-panel button, .cm-panel input": { color: "inherit", backgroundColor: "var(--paper)", backgroundImage: "none", border: "1px solid var(--line)" },
    "&.cm-focused": { outline: "2px solid var(--link)", outlineOffset: "-2px" },
  });
  return [theme, language.syntaxHighlighting(style)];
}

function plain(parent, text, onChange) {
  const field = document.createElement("textarea");
  field.setAttribute("aria-label", "Spec in YAML");
  field.spellcheck = false;
  field.value = text;
  field.addEventListener("input", () => onChange(field.value));
  parent.replaceChildren(field);
  return {
    text: () => field.value,
    replace: (next) => { field.value = next; },
    mark: () => {},
    edit: (from, to, insert) => {
      field.setRangeText(insert, from, to);
      onChange(field.value);
    },
    goTo: (from, to) => { field.focus(); field.setSelectionRange(from, to); },
  };
}
