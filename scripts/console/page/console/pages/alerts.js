/** What is, or was, wrong with the installation: for the people of the main account. */
import { db, me } from "../session.js";
import { ask, useLive } from "../data.js";
import { lang, t } from "../words.js";
import { Card, html, Loaded, Rows, Table, Time } from "../parts.js";

export const Severity = ({ of }) =>
  of === "critical"
    ? html`<span class="tag bad">${t("critical", "critique")}</span>`
    : html`<span class="tag warn">${t("warning", "avertissement")}</span>`;

/** An alert in words. English is its rule's; a rule without French words says it in English. */
export const summaryOf = (alert, rules = []) =>
  lang === "fr" && FRENCH[alert] || (rules.find((rule) => rule.alert === alert)?.summary ?? alert);

const FRENCH = {
  agent_handoffs: "Les appels transférés par un assistant n’aboutissent pas",
  agent_providers: "Un fournisseur de modèles de langage ne répond pas",
  average_call_duration: "Les appels durent longtemps en moyenne",
  call_concurrency: "Twilio refuse des appels : trop d’appels simultanés",
  call_success_rate: "Trop peu d’appels aboutissent à une personne ou à la messagerie",
  calls_unsettled: "Des faits manquants ne sont pas demandés à Twilio",
  database_connections: "Trop de connexions à la base de données",
  database_failures: "Les webhooks n’atteignent pas la base de données",
  dialled_minutes: "Une ligne atteint presque sa durée de renvoi du jour",
  error_rate: "Trop de requêtes échouent",
  failed_transactions: "Des mises en service échouent",
  function_errors: "Des fonctions échouent",
  jobs_dead: "Du travail a été abandonné",
  mail_ceiling: "Les messages ou courriels atteignent leur plafond horaire",
  onboarding_stuck: "Une mise en service est en suspens depuis une heure",
  rate_limit_violations: "La limite de débit refuse beaucoup d’appels",
  recordings_undeleted: "Des données d’appels effacés sont encore chez Twilio",
  response_time: "Une requête sur vingt prend trop de temps",
  system_unhealthy: "Le contrôle de santé échoue",
  tenant_lookups: "Les comptes des organisations sont introuvables",
  voicemail_backlog: "Des messages attendent une personne",
};

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
    const episodes = () =>
      db.from("alert_episodes").select("id, alert, severity, opened_at, closed_at");
    const [open, over, rules] = await Promise.all([
      ask(episodes().is("closed_at", null).order("severity").order("opened_at")),
      ask(
        episodes().not("closed_at", "is", null).order("opened_at", { ascending: false }).limit(100),
      ),
      ask(
        db.from("alert_rules").select(
          "alert, severity, threshold, unit, window_minutes, summary, action",
        ).order("severity").order("alert"),
      ),
    ]);
    return { open, over, rules };
  }, "alerts");
  return html`
    <h1>${t("Alerts", "Alertes")}</h1>
    <${Loaded} of=${live}>${({ open, over, rules }) => {
      const rule = (alert) => rules.find((each) => each.alert === alert);
      return html`
        <${Card} id="open" title=${t("Now", "Maintenant")} n=${open.length}>
          <${Rows} of=${{ data: open }} empty=${t("Nothing is wrong.", "Tout va bien.")}
            item=${(row) =>
              html`<li key=${row.id}><${Severity} of=${row.severity} />
        <div class="grow"><strong>${summaryOf(row.alert, rules)}</strong><p lang="en">${
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
                    key=${row.id}><span class="grow">${summaryOf(
                      row.alert,
                      rules,
                    )}</span><small><${Time} at=${row.opened_at} /> – <${Time} at=${row
                      .closed_at} /></small></li>
                `} />
            <//>
            <${Card} id="rules" title=${t("What is watched", "Ce qui est surveillé")}>
              <${Table} id="rules" rows=${rules} columns=${[
                [t("Alert", "Alerte"), ({ alert }) => summaryOf(alert, rules)],
                [t("Severity", "Gravité"), (row) => html`<${Severity} of=${row.severity} />`],
                [t("Limit", "Seuil"), (row) => `${row.threshold} ${row.unit}`, true],
                [t("Minutes", "Minutes"), (row) => row.window_minutes, true],
              ]} />
              <//>
      `;
    }}<//>
  `;
}
