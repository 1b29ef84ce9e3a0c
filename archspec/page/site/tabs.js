// Tabs as the ARIA practices describe them: one is in the order of focus, arrows move between them.

export function makeTabs(list, panels, tabs, onShow) {
  const buttons = tabs.map(({ key, title }) => {
    const button = document.createElement("button");
    button.type = "button";
    button.id = `tab-${key}`;
    button.textContent = title;
    button.setAttribute("role", "tab");
    button.setAttribute("aria-controls", `panel-${key}`);
    const panel = document.createElement("div");
    panel.id = `panel-${key}`;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", button.id);
    panel.tabIndex = 0;
    list.append(button);
    panels.append(panel);
    button.addEventListener("click", () => show(key));
    return button;
  });
  let shown = "";

  function show(key) {
    shown = key;
    tabs.forEach((tab, k) => {
      const on = tab.key === key;
      buttons[k].setAttribute("aria-selected", String(on));
      buttons[k].tabIndex = on ? 0 : -1;
      document.getElementById(`panel-${tab.key}`).hidden = !on;
    });
    onShow(key);
  }

  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = buttons.indexOf(document.activeElement);
    let next = null;
    if (step !== undefined) next = (at + step + buttons.length) % buttons.length;
    if (event.key === "Home") next = 0;
    if (event.key === "End") next = buttons.length - 1;
    if (next === null) return;
    event.preventDefault();
    buttons[next].focus();
    show(tabs[next].key);
  });
  return { show, shown: () => shown, panel: (key) => document.getElementById(`panel-${key}`) };
}
