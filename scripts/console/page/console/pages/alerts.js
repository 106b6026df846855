/** What is, or was, wrong with the installation: for the people of the main account. */
import { db, me } from "../session.js";
import { ask, useLive } from "../data.js";
import { t } from "../words.js";
import { Card, html, Loaded, Rows, Table, Time } from "../parts.js";

export const Severity = ({ of }) =>
  of === "critical"
    ? html`<span class="tag bad">${t("critical", "critique")}</span>`
    : html`<span class="tag warn">${t("warning", "avertissement")}</span>`;

export default function Alerts() {
  if (me.org_id !== null) {
    return html`
      <h1>${t("Alerts", "Alertes")}</h1>
      <p class="note">${t(
        "Alerts are about the whole installation: its operator has them.",
        "Les alertes concernent toute l’installation : son exploitant les reçoit.",
      )}</p>
    `;
  }
  const live = useLive(async () => {
    const [episodes, rules] = await Promise.all([
      ask(
        db.from("alert_episodes").select("id, alert, severity, opened_at, opened_value, closed_at")
          .order("opened_at", { ascending: false }).limit(100),
      ),
      ask(
        db.from("alert_rules").select(
          "alert, severity, threshold, unit, window_minutes, summary, action",
        ).order("severity").order("alert"),
      ),
    ]);
    return { episodes, rules };
  }, "alerts");
  return html`
    <h1>${t("Alerts", "Alertes")}</h1>
    <${Loaded} of=${live}>${({ episodes, rules }) => {
      const open = episodes.filter(({ closed_at }) => closed_at === null);
      const over = episodes.filter(({ closed_at }) => closed_at !== null);
      const rule = (alert) => rules.find((each) => each.alert === alert);
      return html`
        <${Card} id="open" title=${t("Now", "Maintenant")} n=${open.length}>
          <${Rows} of=${{ data: open }} empty=${t("Nothing is wrong.", "Tout va bien.")}
            item=${(row) =>
              html`<li key=${row.id}><${Severity} of=${row.severity} />
        <div class="grow"><strong>${rule(row.alert)?.summary}</strong><p>${
                rule(row.alert)?.action
              }</p></div><small>${
                t("since", "depuis")
              } <${Time} at=${row.opened_at} /></small></li>`} />
          <//>
          <${Card} id="past" title=${t("Over", "Terminées")}>
            <${Rows} of=${{ data: over }} empty=${t("None yet.", "Aucune encore.")}
              item=${(row) =>
                html`
                  <li
                    key=${row.id}><span class="grow">${rule(row.alert)?.summary ??
                      row.alert}</span><small><${Time} at=${row.opened_at} /> – <${Time} at=${row
                      .closed_at} /></small></li>
                `} />
            <//>
            <${Card} id="rules" title=${t("What is watched", "Ce qui est surveillé")}>
              <${Table} id="rules" rows=${rules} columns=${[
                [t("Alert", "Alerte"), (row) => row.summary],
                [t("Severity", "Gravité"), (row) => html`<${Severity} of=${row.severity} />`],
                [t("Limit", "Seuil"), (row) => `${row.threshold} ${row.unit}`, true],
                [t("Minutes", "Minutes"), (row) => row.window_minutes, true],
              ]} />
              <//>
      `;
    }}<//>
  `;
}
