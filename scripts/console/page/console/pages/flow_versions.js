/** The versions of a flow: compare, go back. */
import { db, may, me } from "../session.js";
import { ask, call } from "../data.js";
import { t } from "../words.js";
import { act, Card, Dialog, Do, html, Time, useState } from "../parts.js";

export const definitionOf = async (flow, version) =>
  (await ask(
    db.from("call_flow_versions").select("definition").eq("flow_id", flow.id).eq(
      "version",
      version,
    ),
  ))[0].definition;

export function Versions({ name, flow, versions, current, by, text, reload, take }) {
  const [compared, setCompared] = useState();
  const roll = (version) =>
    call("call-flows/rollback", { body: { name, org_id: me.org_id, version } }).then(reload);
  return html`<${Card} id="versions" title=${t("Versions", "Versions")}>
    <ul class="list">${
    versions.map((row) =>
      html`
        <li key=${row.version}>
          <div class="grow">${row.version} ${row.version === current &&
            html`<span class="tag good">${t("answers", "répond")}</span>`} ${row.note}
                <small>${by(row.published_by)}, <${Time} at=${row.published_at} /></small></div>
          <${Do} aria-label=${t(
            `Compare with version ${row.version}`,
            `Comparer avec la version ${row.version}`,
          )} act=${() =>
            act(async () =>
              setCompared({
                version: row.version,
                text: JSON.stringify(await definitionOf(flow, row.version), null, 2),
              })
            )}>${t("Compare", "Comparer")}<//>
              ${may("admin") && row.version !== current &&
                html`<${Do} aria-label=${
                  t(`Go back to it: version ${row.version}`, `Y revenir : version ${row.version}`)
                } act=${() =>
                  act(
                    () => roll(row.version),
                    t(
                      `Version ${row.version} answers from the next call on.`,
                      `La version ${row.version} répond dès le prochain appel.`,
                    ),
                    () => roll(current),
                  )}>${t("Go back to it", "Y revenir")}<//>`}
            </li>
      `
    )
  }</ul>
    ${
    compared &&
    html`<${Dialog} title=${
      t(
        `From version ${compared.version} to what is edited`,
        `De la version ${compared.version} à ce qui est édité`,
      )
    } close=${() => setCompared()}>
      <${Difference} from=${compared.text} to=${text} />
      ${
      may("admin") && html`<p><button type="button" onClick=${() => {
        take(compared.text);
        setCompared();
      }}>${t("Edit that version", "Modifier cette version")}</button></p>`
    }
    <//>`
  }
  <//>`;
}

/** The lines that differ, with two lines around each. */
function Difference({ from, to }) {
  const [a, b] = [from.split("\n"), to.split("\n")];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) {
    tail++;
  }
  const [x, y] = [a.slice(head, a.length - tail), b.slice(head, b.length - tail)];
  if (x.length + y.length === 0) return html`<p>${t("No difference.", "Aucune différence.")}</p>`;
  // The longest common subsequence; of very long differences only their outer lines are matched.
  const rows = [];
  if (x.length * y.length > 4_000_000) {
    rows.push(...x.map((line) => ["-", line]), ...y.map((line) => ["+", line]));
  } else {
    const best = Array.from({ length: x.length + 1 }, () => new Uint16Array(y.length + 1));
    for (let i = x.length - 1; i >= 0; i--) {
      for (let j = y.length - 1; j >= 0; j--) {
        best[i][j] = x[i] === y[j]
          ? best[i + 1][j + 1] + 1
          : Math.max(best[i + 1][j], best[i][j + 1]);
      }
    }
    for (let i = 0, j = 0; i < x.length || j < y.length;) {
      if (i < x.length && j < y.length && x[i] === y[j]) rows.push([" ", x[i++], j++]);
      else if (j >= y.length || (i < x.length && best[i + 1][j] >= best[i][j + 1])) {
        rows.push(["-", x[i++]]);
      } else rows.push(["+", y[j++]]);
    }
  }
  const near = (i) => rows.slice(Math.max(0, i - 2), i + 3).some(([sign]) => sign !== " ");
  const shown = [
    ...a.slice(Math.max(0, head - 2), head).map((line) => [" ", line]),
    ...rows.filter((_, i) => near(i)),
    ...a.slice(a.length - tail, a.length - tail + 2).map((line) => [" ", line]),
  ];
  return html`<pre class="diff" tabindex="0" role="region" aria-label=${
    t("Differences", "Différences")
  }>${
    shown.map(([sign, line], i) =>
      html`<span key=${i} class=${
        { "+": "added", "-": "removed" }[sign] ?? ""
      }>${sign} ${line}\n</span>`
    )
  }</pre>`;
}
