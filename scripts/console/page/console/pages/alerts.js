/** What is, or was, wrong with the installation: for the people of the main account. */
import { ask, db, html, Loaded, me, t, Time, useLive } from "../core.js";

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
      const rule = (alert) => rules.find((each) => each.alert === alert);
      return html`
        <section class="card"
          aria-labelledby="open"><h2 id="open">${t("Now", "Maintenant")} <span class="count">${open
            .length}</span></h2>
          ${open.length === 0
            ? html`<p class="note">${t("Nothing is wrong.", "Tout va bien.")}</p>`
            : html`<ul class="list">${
              open.map((row) =>
                html`<li key=${row.id}><span class=${`tag ${
                  row.severity === "critical" ? "bad" : "warn"
                }`}>${
                  row.severity === "critical"
                    ? t("critical", "critique")
                    : t("warning", "avertissement")
                }</span>
        <div class="grow"><strong>${rule(row.alert)?.summary}</strong><p>${
                  rule(row.alert)?.action
                }</p></div><small>${
                  t("since", "depuis")
                } <${Time} at=${row.opened_at} /></small></li>`
              )
            }</ul>`}
        </section>
        <section class="card" aria-labelledby="past"><h2 id="past">${t("Over", "Terminées")}</h2>
          ${episodes.length === open.length
            ? html`<p class="note">${t("None yet.", "Aucune encore.")}</p>`
            : html`<ul class="list">${
              episodes.filter(({ closed_at }) => closed_at).map((row) =>
                html`
                  <li
                    key=${row.id}><span class="grow">${rule(row.alert)?.summary ??
                      row.alert}</span><small><${Time} at=${row.opened_at} /> – <${Time} at=${row
                      .closed_at} /></small></li>
                `
              )
            }</ul>`}
        </section>
        <section class="card" aria-labelledby="rules">
          <h2 id="rules">${t("What is watched", "Ce qui est surveillé")}</h2>
          <div class="scroll" tabindex="0" role="region" aria-labelledby="rules">
            <table>
              <thead>
                <tr>
                  <th>${t("Alert", "Alerte")}</th>
                  <th>${t("Severity", "Gravité")}</th>
                  <th class="n">${t("Limit", "Seuil")}</th>
                  <th class="n">${t("Minutes", "Minutes")}</th>
                </tr>
              </thead>
              <tbody>${rules.map((row) =>
                html`
                  <tr key=${row.alert}>
                    <td>${row.summary}</td>
                    <td>${row.severity}</td>
                    <td class="n">${row.threshold} ${row.unit}</td>
                    <td class="n">${row.window_minutes}</td>
                  </tr>
                `
              )}</tbody>
            </table>
          </div>
        </section>
      `;
    }}<//>
  `;
}
