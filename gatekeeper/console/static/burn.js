"use strict";
// Draws what is left of a team's credits, and how it goes on. The same figures stand in a table below it.
(() => {
  const place = document.querySelector("[data-burn]");
  if (!place || typeof uPlot === "undefined") return;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const seconds = (day) => Date.parse(`${day}T12:00:00Z`) / 1000;
  // Of the drawing alone: on a phone the legend below it takes two lines.
  const size = () => ({ width: place.clientWidth, height: 206 });
  const shown = (value) => (value == null ? "–" : value.toLocaleString("en").replaceAll(",", "\u202f") + " cr");

  const drawn = (figures) => {
    const soft = colour("--soft"), line = colour("--line"), font = "12px " + getComputedStyle(document.body).fontFamily;
    const axis = { stroke: soft, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
    // Before the pointer is there, and after it has gone, the legend says how it stands today.
    const today = figures.left.findLastIndex((value) => value != null);
    const rest = (chart) => { if (chart.cursor.idx == null) chart.setLegend({ idx: today }); };
    return new uPlot({
      ...size(),
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      cursor: { y: false, points: { size: 7 } },
      legend: { live: true },
      hooks: { ready: [rest], setCursor: [rest] },
      scales: { y: { range: (_, low, high) => [0, Math.max(high * 1.06, 1)] } },
      axes: [
        { ...axis, grid: { show: false }, values: "{D} {MMM}", space: 72, size: 30 },
        { ...axis, size: 64, values: (_, all) => all.map((value) => value.toLocaleString("en").replaceAll(",", "\u202f")) },
      ],
      series: [
        { label: "Day", value: "{YYYY}-{MM}-{DD}" },
        { label: "Left", stroke: colour("--bar"), width: 2, fill: colour("--accent-soft"), points: { show: false }, value: (_, value) => shown(value) },
        { label: "At this pace", stroke: soft, width: 1.5, dash: [5, 4], points: { show: false }, value: (_, value) => shown(value) },
      ],
    }, [figures.days.map(seconds), figures.left, figures.ahead], place);
  };

  fetch(place.dataset.burn, { headers: { Accept: "application/json" } })
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer.status)))
    .then((figures) => {
      place.textContent = "";
      let chart = drawn(figures);
      const again = () => { chart.destroy(); chart = drawn(figures); };
      new ResizeObserver(() => chart.setSize(size())).observe(place);
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    })
    .catch(() => { place.querySelector("p").textContent = "The figures could not be loaded; they are below."; });
})();
