/** What a new owner does first; gone once all of it was done. */
import { config, db } from "../session.js";
import { ask, useLive } from "../data.js";
import { t } from "../words.js";
import { Card, html } from "../parts.js";

const TABLES = { people: "id", call_flow_versions: "id", call_logs: "call_sid" };

export function FirstSteps() {
  const { data: done } = useLive(
    async () =>
      Object.fromEntries(
        await Promise.all(
          Object.entries(TABLES).map(async ([table, key]) => [
            table,
            (await ask(db.from(table).select(key).limit(1))).length > 0,
          ]),
        ),
      ),
    "first",
    10_000,
  );
  if (done === undefined || Object.values(done).every(Boolean)) return null;
  const steps = [
    [
      "people",
      "#/people",
      t("Add yourself under People", "Ajoutez-vous sous Personnes"),
      t("Calls ring your telephone.", "Les appels font sonner votre téléphone."),
    ],
    [
      "call_flow_versions",
      "#/flows",
      t("Change the greeting under Flows", "Changez l’accueil sous Scénarios"),
      t("Publish it, and the next caller hears it.", "Publiez-le : le prochain appelant l’entend."),
    ],
    [
      "call_logs",
      config.phone,
      config.phone
        ? t("Ring the line in the web phone", "Appelez la ligne avec le téléphone web")
        : t("Ring your line", "Appelez votre ligne"),
      t("The call appears here.", "L’appel apparaît ici."),
    ],
  ];
  return html`
    <${Card} id="first" title=${t("First steps", "Premiers pas")}>
      <ol class="list">${steps.map(([table, href, words, then]) =>
        html`<li key=${table}><span class="grow">${
          href ? html`<a href=${href}>${words}</a>` : html`<strong>${words}</strong>`
        } <small>${then}</small></span>${
          done[table] && html`<span class="tag good">${t("done", "fait")}</span>`
        }</li>`
      )}</ol>
      <//>
  `;
}
