// Sliders for the sizes of dims. Sizes differ by factors, so that equal ways of a slider are equal factors.

const STEPS = 200;

export function makeSizes(parent, onChange) {
  let known = {};
  let sizes = {};

  // A size stays for as long as its dim is the same.
  function update(dims) {
    const same = (name) => JSON.stringify(dims[name]) === JSON.stringify(known[name]);
    if (Object.keys(dims).length === Object.keys(known).length && Object.keys(dims).every(same)) return;
    sizes = Object.fromEntries(Object.entries(dims).map(([name, dim]) => [name, same(name) ? sizes[name] : dim.typical]));
    known = dims;
    parent.replaceChildren(...Object.entries(dims).map(([name, dim]) => row(name, dim)));
  }

  function row(name, { least, most, multiple }) {
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
