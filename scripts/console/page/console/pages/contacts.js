/** People by their number: what is known of them, and all that happened with them. */
import { db, may } from "../session.js";
import { ALL, ask, askSome, call, useLive } from "../data.js";
import { count, minutes, outcome, phone, t } from "../words.js";
import { act, Card, Form, html, Loaded, Page, Rows, Time, useMore, useState } from "../parts.js";
import { Block } from "./call.js";

const SOME = 40;

export default function Contacts({ path: [id, message] }) {
  if (id === "messages") return html`<${Message} id=${message} />`;
  return id ? html`<${Contact} key=${id} id=${id} />` : html`<${List} />`;
}

function List() {
  const [limit, more] = useMore(SOME);
  const live = useLive(
    () =>
      askSome(
        db.from("contacts").select("id, phone, name, company, blocked, updated_at", ALL).order(
          "updated_at",
          { ascending: false },
        ).limit(limit),
      ),
    "contacts",
    10_000,
    limit,
  );
  return html`
    <${Page} title=${t("Contacts", "Contacts")}>
      <${Rows} of=${live} more=${more} empty=${t(
        "No contact yet. The first call of a number makes one.",
        "Aucun contact. Le premier appel d’un numéro en crée un.",
      )} counted=${(total) => count(total, t("contact", "contact"), t("contacts", "contacts"))}
        item=${(row) =>
          html`<li key=${row.id}><a class="grow" href=${`#/contacts/${row.id}`}>${
            row.name ?? phone(row.phone)
          }</a>
      ${row.name && html`<span>${phone(row.phone)}</span>`} ${
            row.blocked && html`<span class="tag bad">${t("Blocked", "Bloqué")}</span>`
          } <small>${row.company}</small> <small><${Time} at=${row.updated_at} /></small></li>`} />
    <//>
    ${may("admin") && html`<${Import} after=${live.reload} />`}
  `;
}

/** Takes in a CSV file, and says which of its lines are rejected. */
function Import({ after }) {
  const [answer, setAnswer] = useState();
  const take = async ({ file }) => {
    setAnswer();
    // Its own type is the browser's guess by its name.
    setAnswer(await call("call-search/contacts", { body: file.slice(0, file.size, "text/csv") }));
    await after();
  };
  return html`
    <${Card} id="import" title=${t("Take in a file", "Importer un fichier")}>
      <p class="note">${t(
        "CSV. The first line names the columns: phone, and any of name, company, notes. The same file again changes nothing.",
        "CSV. La première ligne nomme les colonnes : phone, et name, company, notes. Le même fichier ne change rien.",
      )}</p>
      <${Form} class="inline" label=${t("Take in a file", "Importer un fichier")} button=${t(
        "Take in",
        "Importer",
      )} submit=${take}>
          <label>${t(
            "File",
            "Fichier",
          )}<input type="file" name="file" accept=".csv,text/csv" required /></label><//>
        ${answer &&
          html`
            <div role="status">
              <p>${t(
                `${answer.added} added, ${answer.changed} changed, ${answer.unchanged} as they were`,
                `${answer.added} ajoutés, ${answer.changed} changés, ${answer.unchanged} inchangés`,
              )}</p>
              <ul>${answer.rejected.map(({ line, reason }) =>
                html`<li key=${line} class="small">${t("Line", "Ligne")} ${line}: ${reason}</li>`
              )}</ul>
            </div>
          `}
      <//>
  `;
}

function Contact({ id }) {
  const live = useLive(async () => {
    const [contact] = await ask(
      db.from("contacts").select(
        "id, phone, name, company, notes, blocked, consent, consent_at, consent_source",
      ).eq(
        id.startsWith("+") ? "phone" : "id",
        id,
      ),
    );
    if (contact === undefined) return {};
    const { rows: calls, total } = await askSome(
      db.from("call_logs").select(
        "call_sid, direction, status, disposition, mode, started_at, duration_sec, consent_given",
        ALL,
      )
        .eq("party", contact.phone).order("started_at", { ascending: false }).limit(SOME),
    );
    const sids = calls.map(({ call_sid }) => call_sid);
    const [notes, tags, voicemails, messages] = await Promise.all([
      ask(
        db.from("call_notes").select("id, call_sid, body, created_at").in("call_sid", sids).order(
          "created_at",
          { ascending: false },
        ),
      ),
      ask(db.from("call_tags").select("call_sid, tag").in("call_sid", sids)),
      ask(
        db.from("voicemails").select("call_sid, recording_sid, transcript, state").in(
          "call_sid",
          sids,
        ),
      ),
      ask(
        db.from("search_documents").select("ref, at, title, body").eq("kind", "message").eq(
          "party",
          contact.phone,
        )
          .order("at", { ascending: false }).limit(SOME),
      ),
    ]);
    return { contact, calls, total, notes, tags, voicemails, messages };
  }, id);
  return html`<${Loaded} of=${live}>${(data) =>
    data.contact ? html`<${One} ...${data} reload=${live.reload} />` : html`<p class="note">${
      t(
        "There is no such contact. It may have been erased.",
        "Ce contact n’existe pas ou a été effacé.",
      )
    }</p>`}<//>`;
}

function One({ contact, calls, total, notes, tags, voicemails, messages, reload }) {
  const { id, name, company } = contact;
  const save = (fields) => ask(db.from("contacts").update(fields).eq("id", id)).then(reload);
  const before = { name, company, notes: contact.notes };
  const submit = (fields) => {
    const next = Object.fromEntries(
      Object.entries(fields).map(([field, value]) => [field, value.trim() || null]),
    );
    return act(() => save(next), t("Saved.", "Enregistré."), () => save(before));
  };
  return html`
    <div class="head">
      <h1>${name ?? phone(contact.phone)}</h1>
      <div class="row">${may("agent") &&
        html`<${Block} number=${contact.phone} contact=${contact} reload=${reload} />`}<a href=${`#/search/${
        encodeURIComponent(`number=${contact.phone.slice(1)}`)
      }`}>${t("Search these calls", "Chercher dans ces appels")}</a></div>
    </div>
    <div class="columns">
      <${Card} id="person" title=${t("Person", "Personne")}>
        <dl class="facts">
          <dt>${t("Number", "Numéro")}</dt><dd>${phone(contact.phone)}</dd>
          <dt>${t(
            "Consent to be contacted",
            "Accord pour être contacté",
          )}</dt><dd>${contact.consent === null
            ? t("not known", "inconnu")
            : html`${
              contact.consent ? t("given", "donné") : t("refused", "refusé")
            } <${Time} at=${contact.consent_at} /> ${contact.consent_source}`}</dd>
        </dl>
        ${may("agent")
          ? html`
            <${Form} key=${JSON.stringify(before)} label=${t("Person", "Personne")} button=${t(
              "Save",
              "Enregistrer",
            )} submit=${submit}>
              <label>${t("Name", "Nom")}<input name="name" maxlength="200" defaultValue=${name ??
                ""} /></label>
              <label>${t(
                "Company",
                "Entreprise",
              )}<input name="company" maxlength="200" defaultValue=${company ?? ""} /></label>
              <label
                class="wide">${t(
                  "Notes",
                  "Notes",
                )}<textarea name="notes" maxlength="2000" rows="3">${contact.notes ??
                  ""}</textarea></label>
              <//>
          `
          : html`
            <p>${company}</p>
            <p>${contact.notes}</p>
          `}
      <//>
      <${Card} id="history" title=${t("Calls", "Appels")} n=${total}>
        ${calls.length === 0
          ? html`<p class="note">${t("No call.", "Aucun appel.")}</p>`
          : html`<ul class="list">${
            calls.map((row) =>
              html`
                <li key=${row.call_sid}>
                  <div class="grow"><p class="row"><a href=${`#/calls/${row.call_sid}`}><${Time} at=${row
                    .started_at} /></a>
                            <span class="tag">${outcome(row)}</span> <small>${row
                              .mode} ${row.duration_sec !== null &&
                              minutes(row.duration_sec)}</small>
                            ${tags.filter(({ call_sid }) => call_sid === row.call_sid).map((
                              { tag },
                            ) => html`<span class="tag" key=${tag}>${tag}</span>`)}</p>
                            ${voicemails.filter(({ call_sid }) => call_sid === row.call_sid).map((
                              { recording_sid, transcript },
                            ) =>
                              html`<blockquote key=${recording_sid}>${
                                transcript ?? t("Voicemail without words", "Message sans texte")
                              }</blockquote>`
                            )}
                            ${notes.filter(({ call_sid }) => call_sid === row.call_sid).map((
                              note,
                            ) =>
                              html`<p class="small" key=${note.id}>${
                                t("Note", "Note")
                              }: ${note.body}</p>`
                            )}
                          </div>
                </li>
              `
            )
          }</ul>`}
      <//>
      ${messages.length > 0 &&
        html`
          <${Card} id="written" title=${t("Website messages", "Messages du site")} n=${messages
            .length}>
            <ul class="list">${messages.map((row) =>
              html`
                <li key=${row.ref}>
                  <div class="grow">
                    <p>${row.title} <small><${Time} at=${row.at} /></small></p>
                    <blockquote>${row.body}</blockquote>
                  </div>
                </li>
              `
            )}</ul>
            <//>
        `}
    </div>
  `;
}

/** A message from the website. */
function Message({ id }) {
  const live = useLive(
    () =>
      ask(
        db.from("search_documents").select("at, title, body, party").eq("kind", "message").eq(
          "ref",
          id,
        ),
      ),
    id,
    60_000,
  );
  return html`
    <${Page} title=${t("Website message", "Message du site")}>
      <${Loaded} of=${live} empty=${t(
        "There is no such message. It may have been erased.",
        "Ce message n’existe pas ou a été effacé.",
      )}>${([row]) =>
        html`<p>${row.title} <small><${Time} at=${row.at} /></small></p><blockquote>${row.body}</blockquote>
      ${
          row.party &&
          html`<p><a href=${`#/contacts/${encodeURIComponent(row.party)}`}>${
            phone(row.party)
          }</a></p>`
        }`}<//>
    <//>
  `;
}
