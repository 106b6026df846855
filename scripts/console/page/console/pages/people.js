/** Whom the lines ring: availability, telephones, and which member each is. */
import { db, may, me } from "../session.js";
import { ask, useLive } from "../data.js";
import { phone, t } from "../words.js";
import { act, Card, Do, Form, html, Page, Rows, Time } from "../parts.js";

const COLUMNS = "id, handle, name, phone, verified_at, available, dnd_until, calendar, member_id";

/** `(403) 555-0123` as E.164: North American without a country code. */
export function e164(text) {
  const digits = text.replace(/[^\d+]/g, "");
  return digits.startsWith("+") ? digits : `+${digits.length === 10 ? "1" : ""}${digits}`;
}

export default function People() {
  const live = useLive(() => ask(db.from("people").select(COLUMNS).order("name")), "people");
  const members = useLive(
    () => ask(db.from("members").select("id, name, email").order("email")),
    "members",
    30_000,
  );
  const change = (person, values) =>
    ask(db.from("people").update(values).eq("id", person.id)).then(live.reload);
  return html`
    <${Page} title=${t("People", "Personnes")}>
      <${Rows} of=${live} empty=${t(
        "No people yet. Add those whom calls ring: a flow names them by their handle.",
        "Personne encore. Ajoutez les personnes à faire sonner : un scénario les nomme par leur identifiant.",
      )} item=${(person) =>
        html`
          <${Person} key=${person.id} person=${person} members=${members.data ??
            []} change=${change}
            reload=${live.reload} />
        `} />
    <//>
      ${may("admin") && html`
        <${Card} id="add" title=${t("Add a person", "Ajouter une personne")}>
          <${Form} class="inline" label=${t("Add a person", "Ajouter une personne")} button=${t(
            "Add",
            "Ajouter",
          )} submit=${async ({ name, handle, number }, form) => {
            await ask(db.from("people").insert({ name, handle, phone: e164(number) }));
            form.reset();
            await live.reload();
          }}>
            <label>${t(
              "Name",
              "Nom",
            )}<input name="name" required maxlength="200" autocomplete="off" /></label>
            <label>${t(
              "Handle in flows",
              "Identifiant",
            )}<input name="handle" required pattern="[a-z][a-z0-9_]{0,31}" placeholder="anna" autocomplete="off" /></label>
            <label>${t(
              "Telephone",
              "Téléphone",
            )}<input name="number" required inputmode="tel" placeholder="+1 403 555 0123" autocomplete="off" /></label>
            <//>
            <//>
      `}
  `;
}

function Person({ person, members, change, reload }) {
  const { name, handle, available, dnd_until, verified_at, member_id } = person;
  const away = new Date(dnd_until) > new Date();
  const on = available && !away;
  const own = member_id !== null && member_id === me.member_id;
  const mine = may("admin") || (may("agent") && own);
  const before = { available, dnd_until };
  const set = (values, words) =>
    act(() => change(person, values), words, () => change(person, before));
  return html`<li>
    <div class="grow"><strong>${name}</strong> <small>${handle}, ${phone(person.phone)}</small>
      <div class="row">
        ${
    verified_at
      ? html`<span class="tag good">${t("verified", "vérifié")}</span>`
      : html`<span class="tag warn">${
        t("not verified: not rung", "non vérifié : ne sonne pas")
      }</span>`
  }
        ${
    away &&
    html`<span class="tag">${
      t("not disturbed until", "ne pas déranger jusqu’à")
    } <${Time} at=${dnd_until} /></span>`
  }
      </div></div>
    ${
    mine
      ? html`
        <button type="button" class="switch" role="switch" aria-checked=${on} aria-label=${`${
          on ? t("Available", "Disponible") : t("Not available", "Non disponible")
        }: ${name}`}
          onClick=${() =>
            set(
              { available: !on, dnd_until: null },
              on
                ? t(`${name} is not rung.`, `${name} ne sonne plus.`)
                : t(`${name} is rung.`, `${name} sonne.`),
            )}>${on ? t("Available", "Disponible") : t("Not available", "Non disponible")}</button>
              ${on &&
                html`<${Do} aria-label=${
                  t(`Quiet for 1 h: ${name}`, `Silence 1 h : ${name}`)
                } act=${() =>
                  set(
                    { dnd_until: new Date(Date.now() + 3_600_000).toISOString() },
                    t(
                      `${name} is not disturbed for an hour.`,
                      `${name} n’est pas dérangé pendant une heure.`,
                    ),
                  )}>${t("Quiet for 1 h", "Silence 1 h")}<//>`}
              ${!verified_at &&
                html`<${Do} aria-label=${
                  t(`Verify by a call: ${name}`, `Vérifier par appel : ${name}`)
                } act=${() =>
                  act(
                    () => ask(db.rpc("verify_telephone", { p_person_id: person.id })).then(reload),
                    t(
                      `The telephone of ${name} rings. Press 1 there.`,
                      `Le téléphone de ${name} sonne. Appuyez sur 1.`,
                    ),
                  )}>${t("Verify by a call", "Vérifier par appel")}<//>`}
      `
      : html`<span class=${on ? "tag good" : "tag"}>${
        on ? t("Available", "Disponible") : t("Not available", "Non disponible")
      }</span>`
  }
    ${
    may("admin") && html`
      <label
        class="row small">${t("Signs in as", "Se connecte comme")} <select aria-label=${t(
          `${name} signs in as`,
          `${name} se connecte comme`,
        )} value=${member_id ?? ""} onChange=${(event) => {
          const member = event.target.value || null;
          act(() => change(person, { member_id: member }), t("Saved.", "Enregistré."), () =>
            change(person, { member_id }));
        }}>
        <option value="">${t("nobody", "personne")}</option>
        ${members.map((member) =>
          html`<option key=${member.id} value=${member.id}>${member.name ?? member.email}</option>`
        )}
      </select></label>
      <${Do} aria-label=${t(`Remove ${name}`, `Retirer ${name}`)} act=${() =>
        act(
          () =>
            ask(db.from("people").delete().eq("id", person.id)).then(reload),
          t(`${name} is removed.`, `${name} est retiré.`),
          () =>
            ask(
              db.from("people").insert({
                handle,
                name,
                phone: person.phone,
                available,
                calendar: person.calendar,
                member_id,
              }),
            ).then(reload),
        )}>${t("Remove", "Retirer")}<//>
    `
  }
  </li>`;
}
