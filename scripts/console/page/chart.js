import { h } from "./dom.js";

const HOUR = 3_600_000;
const WIDTH = 720;
const HEIGHT = 190;
const LEFT = 30;
const BOTTOM = 26;
const TOP = 10;

/**
 * Calls by hour over the last 24: served at the bottom, unserved above them, the others on top.
 *
 * @param {readonly {hour: string, total_calls: number, completed_calls: number, failed_calls: number}[]} hours
 */
export function hoursChart(hours) {
  const byHour = new Map(hours.map((row) => [new Date(row.hour).getTime(), row]));
  const last = Math.floor(Date.now() / HOUR) * HOUR;
  const columns = Array.from({ length: 24 }, (_, index) => {
    const start = last - (23 - index) * HOUR;
    const { total_calls: total = 0, completed_calls: served = 0, failed_calls: failed = 0 } =
      byHour.get(start) ?? {};
    return { start, total, served, failed, other: total - served - failed };
  });
  const total = columns.reduce((sum, column) => sum + column.total, 0);
  const top = niceTop(Math.max(...columns.map((column) => column.total)));
  const step = (WIDTH - LEFT) / columns.length;
  const y = (count) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - count / top);
  const hourName = (start) => new Date(start).toLocaleTimeString([], { hour: "numeric" });

  const grid = [0, top / 2, top].map((count) =>
    h(
      "g",
      {},
      h("line", { class: "grid", x1: LEFT, x2: WIDTH, y1: y(count), y2: y(count) }),
      h("text", { class: "axis end", x: LEFT - 8, y: y(count) + 4 }, String(count)),
    )
  );
  const bars = columns.map(({ start, total, served, failed, other }, index) => {
    const x = LEFT + index * step + step * 0.16;
    const width = step * 0.68;
    let base = 0;
    const part = (name, count) => {
      if (count === 0) return null;
      const from = base;
      base += count;
      return h("rect", { class: name, x, y: y(base), width, height: y(from) - y(base), rx: 2 });
    };
    return h(
      "g",
      {},
      h("title", {}, `${hourName(start)}: ${total} calls, ${served} served, ${failed} not served`),
      h("rect", { class: "hit", x: LEFT + index * step, y: TOP, width: step, height: y(0) - TOP }),
      part("served", served),
      part("failed", failed),
      part("other", other),
    );
  });
  const labels = columns.flatMap(({ start }, index) =>
    index % 4 === 3
      ? [h(
        "text",
        { class: "axis middle", x: LEFT + (index + 0.5) * step, y: HEIGHT - 6 },
        hourName(start),
      )]
      : []
  );
  const busiest = columns.reduce((one, other) => other.total > one.total ? other : one);
  const words = total === 0
    ? "No calls in the last 24 hours"
    : `${total} calls in the last 24 hours, most of them (${busiest.total}) in the hour from ${
      hourName(busiest.start)
    }`;
  return h(
    "figure",
    {},
    h(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words, class: "chart" },
      grid,
      bars,
      labels,
      total === 0 &&
        h("text", { class: "axis middle", x: (LEFT + WIDTH) / 2, y: y(top / 2) - 12 }, words),
    ),
    h(
      "figcaption",
      {},
      h("span", { class: "served" }, "served"),
      h("span", { class: "failed" }, "not served"),
      h("span", { class: "other" }, "refused or running"),
    ),
  );
}

/** An even number at or above `count` that reads well, so that its half is whole. */
function niceTop(count) {
  const size = 10 ** Math.floor(Math.log10(Math.max(count, 1)));
  return [2, 4, 6, 8, 10, 20].map((factor) => factor * size).find((top) => top >= count);
}
