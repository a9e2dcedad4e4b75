// One Plotly chart that is created once and updated in place. Streamlit calls the default export whenever the data or
// the theme changes, always with the same parentElement, and the function it returns when the chart leaves the page.

const charts = new WeakMap();

const ARRAYS = {
  i1: Int8Array, u1: Uint8Array, i2: Int16Array, u2: Uint16Array,
  i4: Int32Array, u4: Uint32Array, f4: Float32Array, f8: Float64Array,
};
const LINK_EVENT = "lossdiag:step";
const SCRUBBER = "lossdiag scrubber";

export default function (component) {
  // Without a figure there is nothing to draw yet: the library is fetched while the page is still being worked out.
  if (component.data.preload) {
    plotlyFrom(component.data.plotly).catch((error) => console.error(error));
    return;
  }
  let chart = charts.get(component.parentElement);
  if (!chart) {
    chart = create(component.parentElement);
    charts.set(component.parentElement, chart);
  }
  chart.component = component;
  // One at a time and in order: a patch must find the figure that it was made for.
  chart.queue = chart.queue.then(() => update(chart, component)).catch((error) => fail(chart, error));
  return () => destroy(chart, component.parentElement);
}

function create(parent) {
  const root = document.createElement("div");
  root.className = "lossdiag-chart";
  root.tabIndex = 0;
  root.setAttribute("role", "group");
  const plot = root.appendChild(document.createElement("div"));
  const note = root.appendChild(document.createElement("p"));
  note.className = "lossdiag-chart-note";
  parent.appendChild(root);

  const chart = { root, plot, note, queue: Promise.resolve(), version: "", figure: null, theme: "", step: null, draws: 0 };
  chart.resize = new ResizeObserver(() => fit(chart));
  chart.resize.observe(root);
  chart.follow = (event) => followStep(chart, event.detail);
  window.addEventListener(LINK_EVENT, chart.follow);
  root.addEventListener("keydown", (event) => onKey(chart, event));
  return chart;
}

function destroy(chart, parent) {
  chart.gone = true;
  charts.delete(parent);
  clearTimeout(chart.rangeTimer);
  chart.resize.disconnect();
  window.removeEventListener(LINK_EVENT, chart.follow);
  window.Plotly?.purge(chart.plot);
  chart.root.remove();
}

function fail(chart, error) {
  chart.note.textContent = `This chart could not be drawn: ${error.message}. Reload the page to try again.`;
  console.error(error);
}

// ---- data ----------------------------------------------------------------------------------------------------------

async function update(chart, component) {
  const message = component.data;
  await plotlyFrom(message.plotly);
  if (chart.gone) return;
  if (message.version !== chart.version) {
    if (!apply(chart, message)) {
      component.setTriggerValue("resync", chart.version);
      return;
    }
    chart.version = message.version;
    chart.changed = true;
  }
  chart.root.setAttribute("aria-label", message.label);
  chart.link = message.link;
  const theme = currentTheme(chart);
  if (chart.changed || theme.key !== chart.theme) {
    chart.theme = theme.key;
    chart.changed = false;
    await draw(chart, message.config, theme);
  }
}

/** Bring chart.figure to the message's version; false when it was made for another one. */
function apply(chart, message) {
  if (message.figure) {
    const figure = message.figure;
    chart.templates = message.templates;
    chart.figure = { data: figure.data.map(decodeTrace), layout: figure.layout, frames: figure.frames };
    return true;
  }
  if (!chart.figure || message.base !== chart.version) return false;
  const data = [...chart.figure.data];
  let { layout } = chart.figure;
  for (const op of message.ops) {
    if (op.layout) {
      layout = op.layout;
      continue;
    }
    const trace = (data[op.trace] = { ...data[op.trace] });
    if (op.drop) delete trace[op.key];
    else if ("keep" in op) trace[op.key] = joined(trace[op.key], op.keep, op.tail);
    else trace[op.key] = decode(op.set);
  }
  chart.figure = { data, layout, frames: chart.figure.frames };
  return true;
}

function decodeTrace(trace) {
  return Object.fromEntries(Object.entries(trace).map(([key, value]) => [key, decode(value)]));
}

/** One-dimensional typed arrays are decoded, to be extended later; Plotly reads the others as they are. */
function decode(value) {
  if (!value?.bdata || value.shape) return value;
  const bytes = Uint8Array.from(atob(value.bdata), (c) => c.charCodeAt(0));
  return new ARRAYS[value.dtype](bytes.buffer);
}

function joined(old, keep, tail) {
  if (Array.isArray(old)) return [...old.slice(0, keep), ...tail];
  const end = decode(tail) ?? [];
  const whole = new old.constructor(keep + (end.length ?? 0));
  whole.set(old.subarray(0, keep));
  if (end.length) whole.set(end, keep);
  return whole;
}

// ---- drawing -------------------------------------------------------------------------------------------------------

function plotlyFrom(url) {
  window.lossdiagPlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = resolve;
    script.onerror = () => {
      window.lossdiagPlotly = undefined;
      reject(new Error(`plotly.js was not found at ${url}`));
    };
    document.head.appendChild(script);
  });
  return window.lossdiagPlotly;
}

async function draw(chart, config, theme) {
  const { figure, plot } = chart;
  // Plotly writes the person's zoom into the layout it is given, so it gets a copy each time.
  const layout = structuredClone(figure.layout);
  layout.template = themed(chart.templates[theme.dark ? "dark" : "light"], theme);
  layout.autosize = true;
  // On a touch screen a drag must scroll the page; the buttons zoom there.
  if (window.matchMedia("(pointer: coarse)").matches) layout.dragmode = false;
  if (chart.step !== null) layout.shapes = withScrubber(layout.shapes, chart.step);
  // Plotly takes its height from here whenever the width changes.
  plot.style.height = `${layout.height ?? 300}px`;
  const data = figure.data.map((trace) => ({ ...trace }));
  const first = !plot.classList.contains("js-plotly-plot");
  const frames = figure.frames?.length ? { frames: figure.frames } : {};
  await window.Plotly.react(plot, { data, layout, config, ...frames });
  if (first) listen(chart);
  chart.note.textContent = figure.layout.meta?.note ?? "";
  chart.draws += 1;
  chart.root.dataset.draws = chart.draws;
  chart.root.dataset.theme = theme.dark ? "dark" : "light";
}

function listen(chart) {
  chart.plot.on("plotly_relayout", (change) => {
    if (Object.keys(change).some((key) => /^xaxis\d*\.(range|autorange)/.test(key))) reportRange(chart);
  });
  chart.plot.on("plotly_click", (event) => {
    const { data, x, y, pointIndex } = event.points[0];
    chart.component.setStateValue("point", { trace: data.name ?? "", x, y, index: pointIndex });
  });
  chart.plot.on("plotly_sliderchange", (event) => tellStep(chart, event.step.args[0][0]));
  chart.plot.on("plotly_animatingframe", (event) => tellStep(chart, event.name));
}

function reportRange(chart) {
  clearTimeout(chart.rangeTimer);
  chart.rangeTimer = setTimeout(() => {
    const axis = chart.plot._fullLayout?.xaxis;
    if (!axis || axis.type !== "linear") return;
    const range = chart.plot.layout.xaxis?.autorange === false || !axis.autorange ? axis.range.map(Number) : null;
    const text = JSON.stringify(range);
    if (text === chart.reported) return;
    chart.reported = text;
    chart.component.setStateValue("range", range);
  }, 250);
}

function fit(chart) {
  if (chart.plot.classList.contains("js-plotly-plot") && chart.root.offsetWidth) window.Plotly.Plots.resize(chart.plot);
}

// ---- theme ---------------------------------------------------------------------------------------------------------

function currentTheme(chart) {
  const style = getComputedStyle(chart.root);
  const read = (name) => style.getPropertyValue(name).trim();
  const theme = { background: read("--st-background-color"), ink: read("--st-text-color"), font: read("--st-font") };
  return { ...theme, dark: isDark(theme.background), key: Object.values(theme).join("|") };
}

function isDark(colour) {
  const context = document.createElement("canvas").getContext("2d");
  context.fillStyle = colour; // normalises every CSS colour; an unknown one stays black
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
}

function themed(template, theme) {
  const copy = structuredClone(template);
  const { layout } = copy;
  if (theme.background) layout.paper_bgcolor = layout.plot_bgcolor = layout.hoverlabel.bgcolor = theme.background;
  if (theme.ink) layout.font.color = layout.hoverlabel.font.color = layout.annotationdefaults.font.color = theme.ink;
  if (theme.font) layout.font.family = theme.font;
  return copy;
}

// ---- one scrubber for several charts -------------------------------------------------------------------------------

function tellStep(chart, name) {
  const step = Number(name);
  if (!chart.link || !Number.isFinite(step) || chart.told === step) return;
  chart.told = step;
  window.dispatchEvent(new CustomEvent(LINK_EVENT, { detail: { link: chart.link, step, from: chart } }));
}

function followStep(chart, { link, step, from }) {
  if (from === chart || !link || link !== chart.link || !chart.figure || !window.Plotly) return;
  const frames = chart.figure.frames ?? [];
  if (frames.length) {
    const before = frames.filter((frame) => Number(frame.name) <= step);
    const frame = before.at(-1) ?? frames[0];
    chart.told = Number(frame.name);
    const still = { mode: "immediate", frame: { duration: 0, redraw: true }, transition: { duration: 0 } };
    window.Plotly.animate(chart.plot, [frame.name], still);
    return;
  }
  chart.step = step;
  window.Plotly.relayout(chart.plot, { shapes: withScrubber(chart.figure.layout.shapes, step) });
}

function withScrubber(shapes, step) {
  const line = { name: SCRUBBER, type: "line", xref: "x", yref: "paper", x0: step, x1: step, y0: 0, y1: 1 };
  return [...(shapes ?? []), { ...line, line: { color: "#7F8A93", width: 1, dash: "dot" } }];
}

// ---- keyboard ------------------------------------------------------------------------------------------------------

const KEYS = { ArrowLeft: [-0.2, 1], ArrowRight: [0.2, 1], "+": [0, 0.5], "=": [0, 0.5], "-": [0, 2], 0: null };

function onKey(chart, event) {
  const axis = chart.plot._fullLayout?.xaxis;
  if (!(event.key in KEYS) || event.ctrlKey || event.metaKey || event.altKey || event.target !== chart.root || !axis) return;
  event.preventDefault();
  if (KEYS[event.key] === null) {
    const axes = Object.entries(chart.plot._fullLayout).filter(([name, a]) => /^[xy]axis\d*$/.test(name) && !a.fixedrange);
    window.Plotly.relayout(chart.plot, Object.fromEntries(axes.map(([name]) => [`${name}.autorange`, true])));
    return;
  }
  const [shift, scale] = KEYS[event.key];
  const [low, high] = axis.range;
  const middle = (low + high) / 2 + shift * (high - low);
  const half = ((high - low) / 2) * scale;
  window.Plotly.relayout(chart.plot, { "xaxis.range": [middle - half, middle + half] });
}
