/** How far the callers of one version of a flow came, node by node. */
import { db } from "../session.js";
import { ask, useLive } from "../data.js";
import { number, t } from "../words.js";
import { Bars, Card, html, Loaded } from "../parts.js";

export function Funnel({ flow, version, start }) {
  const live = useLive(
    () =>
      ask(
        db.from("flow_funnel").select("node, entered, outcomes, waiting, hung_up").eq("flow", flow)
          .eq("version", version).order("entered", { ascending: false }),
      ),
    `${flow} ${version}`,
    10_000,
  );
  const more = ({ outcomes, waiting, hung_up }) =>
    [
      ...Object.entries(outcomes).map(([outcome, n]) => `${outcome}: ${number(n)}`),
      waiting > 0 && `${t("waiting there", "y attendent")}: ${number(waiting)}`,
      hung_up > 0 && `${t("hung up there", "y ont raccroché")}: ${number(hung_up)}`,
    ].filter(Boolean).join(", ");
  return html`
    <${Card} id="funnel" title=${t(
      `How far callers of version ${version} came`,
      `Parcours des appels de la version ${version}`,
    )}>
      <${Loaded} of=${live} empty=${t(
        "No caller yet has heard this version.",
        "Aucun appelant n’a encore entendu cette version.",
      )}>${(rows) => {
        const all = rows.find(({ node }) => node === start)?.entered || rows[0].entered || 1;
        return html`<${Bars} rows=${
          rows.map((row) => ({
            name: row.node,
            value: row.entered,
            percent: Math.min(100, 100 * row.entered / all),
            more: more(row),
          }))
        } />`;
      }}<//>
    <//>
  `;
}
