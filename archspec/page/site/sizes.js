// Sliders for the sizes of dims. Sizes differ by factors, so that equal ways of a slider are equal factors.

const STEPS = 200;

export function makeSizes(parent, onChange) {
  let known = "";
  const sizes = {};

  function update(dims) {
    if (JSON.stringify(dims) === known) return;
    known = JSON.stringify(dims);
    const rows = Object.entries(dims).map(([name, dim]) => row(name, dim));
    for (const name of Object.keys(sizes)) if (!(name in dims)) delete sizes[name];
    parent.replaceChildren(...rows);
  }

  function row(name, { least, typical, most, multiple }) {
    const inside = sizes[name] >= least && sizes[name] <= most && sizes[name] % multiple === 0;
    if (!inside) sizes[name] = typical;
    const label = document.createElement("label");
    const word = document.createElement("bdi");
    const slider = document.createElement("input");
    const shown = document.createElement("output");
    word.textContent = name;
    slider.type = "range";
    slider.max = String(STEPS);
    const factor = Math.log(Math.max(most, 1) / Math.max(least, 1));
    const place = (size) => (factor ? Math.round((STEPS * Math.log(Math.max(size, 1) / Math.max(least, 1))) / factor) : 0);
    const size = (at) => {
      if (at === 0) return least;
      if (at === STEPS) return most;
      const near = Math.round((Math.max(least, 1) * Math.exp((factor * at) / STEPS)) / multiple) * multiple;
      return Math.min(most, Math.max(least, near));
    };
    const show = () => {
      shown.textContent = sizes[name].toLocaleString("en");
      slider.setAttribute("aria-valuetext", `${name} ${sizes[name]}`);
    };
    slider.value = String(place(sizes[name]));
    slider.disabled = least === most;
    slider.addEventListener("input", () => {
      sizes[name] = size(Number(slider.value));
      show();
      onChange();
    });
    show();
    label.append(word, slider, shown);
    return label;
  }

  return { update, sizes: () => ({ ...sizes }) };
}
