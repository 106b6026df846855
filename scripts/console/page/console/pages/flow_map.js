/** The drawing of a flow: the editor's map. */
import { phone, t } from "../words.js";
import { html } from "../parts.js";
import { edges, OUTCOMES, TYPE_WORDS } from "./flow_spec.js";

const BOX = { width: 168, height: 52, gapX: 72, gapY: 26 };
const short = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;

/** The steps in columns, by how far each is from the start. `chosen`: the one that is edited, `faulty`: those at fault. */
export function FlowMap({ flow, pick, chosen, faulty }) {
  const nodes = flow.nodes ?? {};
  const depth = new Map();
  const visit = (id, at) => {
    if (!Object.hasOwn(nodes, id) || (depth.get(id) ?? -1) >= at || at > 200) return;
    depth.set(id, at);
    for (const [, target] of edges(nodes[id])) visit(target, at + 1);
  };
  visit(flow.start, 0);
  for (const id of Object.keys(nodes)) if (!depth.has(id)) depth.set(id, 0);
  const columns = [];
  for (const [id, at] of depth) (columns[at] ??= []).push(id);
  const place = new Map();
  columns.forEach((ids, x) =>
    ids.forEach((id, y) =>
      place.set(id, { x: 8 + x * (BOX.width + BOX.gapX), y: 8 + y * (BOX.height + BOX.gapY) })
    )
  );
  const width = 16 + columns.length * (BOX.width + BOX.gapX) - BOX.gapX;
  const height = 64 +
    Math.max(0, ...columns.map((ids) => ids?.length ?? 0)) * (BOX.height + BOX.gapY);
  const words = (node) => {
    const prompt = flow.prompts?.[node.prompt];
    const said = prompt && Object.values(prompt)[0];
    return typeof said === "string"
      ? said
      : node.group ?? (node.to && phone(node.to)) ?? node.calendar ?? "";
  };
  return html`
    <div class="scroll map" tabindex="0" role="region" aria-label=${t(
      "Map of the flow",
      "Carte du scénario",
    )}>
      <svg width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`}>
          ${[...place].flatMap(([id, from]) =>
            edges(nodes[id]).filter(([, target]) => place.has(target)).map(
              ([name, target, own], i, all) => {
                const label = own ? t(name.replaceAll("_", " "), OUTCOMES[name] ?? name) : name;
                const to = place.get(target);
                const y1 = from.y + (i + 1) * BOX.height / (all.length + 1);
                const [x1, x2, y2] = [from.x + BOX.width, to.x, to.y + BOX.height / 2];
                // Past other steps: below them.
                const far = x2 - x1 > BOX.gapX ? Math.max(y1, y2) + 40 + (x2 - x1) / 12 : undefined;
                return html`
                  <g key=${`${id} ${i}`}>
                    <path class="edge" d=${`M${x1} ${y1} C${x1 + 40} ${far ?? y1} ${x2 - 40} ${
                      far ?? y2
                    } ${x2} ${y2}`} />
                    <text class="label" x=${x1 + 5} y=${y1 - 3}>${short(label, 11)}</text>
                  </g>
                `;
              },
            )
          )}
          ${[...place].map(([id, { x, y }]) => {
            const type = TYPE_WORDS[nodes[id].type];
            return html`
              <g key=${id} class="node" role="button" tabindex="0" aria-pressed=${id === chosen}
                onClick=${() => pick(id)} onKeyDown=${(event) =>
                  ["Enter", " "].includes(event.key) && (event.preventDefault(), pick(id))}>
                <rect x=${x} y=${y} width=${BOX.width} height=${BOX.height} rx="9" class=${[
                  id === flow.start && "start",
                  id === chosen && "chosen",
                  faulty.has(id) && "faulty",
                ].filter(Boolean).join(" ")} />
                <text x=${x + 10} y=${y + 21} class="id">${short(
                  `${faulty.has(id) ? "⚠ " : ""}${id}`,
                  18,
                )}</text>
                <text x=${x + 10} y=${y + 40} class="label">${short(
                  `${type ? t(...type) : nodes[id].type}: ${words(nodes[id])}`,
                  24,
                )}</text>
              </g>
            `;
          })}
        </svg>
    </div>
  `;
}
