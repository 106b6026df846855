/** One call with all that is known of it. */
import { db, may, me } from "../session.js";
import { ask, useLive } from "../data.js";
import { clock, minutes, money, outcome, phone, t } from "../words.js";
import { act, Card, Dialog, Do, Form, go, html, Loaded, Time, useState } from "../parts.js";
import { CallBack } from "./call_back.js";
import { Question } from "./knowledge.js";
import { endOf, saidBy } from "./talk.js";
import { Player, Steps } from "./voicemails.js";

const COLUMNS =
  "call_sid, direction, from_e164, to_e164, line, party, mode, status, disposition, started_at, answered_at, connected_at, ended_at, duration_sec, consent_given, flow_version, recording_sid, transcript";

/** `second`: the recordings begin there. */
export function Call({ sid, second }) {
  const live = useLive(async () => {
    const of = (table, columns = "*") => db.from(table).select(columns).eq("call_sid", sid);
    const [
      [call],
      steps,
      legs,
      recordings,
      notes,
      tags,
      voicemails,
      callbacks,
      turns,
      talks,
      questions,
    ] = await Promise.all(
      [
        ask(of("call_logs", COLUMNS)),
        ask(
          of("call_lifecycle", "id, event, status, leg_sid, occurred_at, meta, path")
            .order("occurred_at").limit(500),
        ),
        ask(
          of(
            "call_legs",
            "leg_sid, to_e164, node, dialled_at, rang_at, answered_at, ended_at, result",
          ),
        ),
        ask(
          of(
            "recordings",
            "recording_sid, source, recorded_at, duration_sec, transcript, deleted_at",
          ),
        ),
        ask(of("call_notes", "id, author, body, created_at").order("created_at")),
        ask(of("call_tags", "tag").order("tag")),
        ask(of("voicemails", "recording_sid, state, assigned_to, from_e164")),
        ask(of("callbacks", "id, group_name, state, tries, why, promised_at, ended_at")),
        ask(
          of(
            "agent_turns",
            "id, at, kind, planned_text, heard_text, tool, tool_arguments, tool_result, model, outcome, reason",
          ).order("id").limit(500),
        ),
        ask(of("agent_calls", "node, ended_at, seconds, outcome, reason, cost_usd, caller_turns")),
        ask(of("agent_unanswered_questions", "id, question, language, asked, call_sid, last_at")),
      ],
    );
    const [contact] = call?.party
      ? await ask(
        db.from("contacts").select("id, name, company, notes, blocked").eq("phone", call.party),
      )
      : [];
    return {
      call,
      steps,
      legs,
      recordings,
      notes,
      tags,
      voicemails,
      callbacks,
      turns,
      talks,
      questions,
      contact,
    };
  }, sid);
  const people = useLive(
    () => ask(db.from("people").select("id, name, phone").order("name")),
    "people",
    60_000,
  );
  const members = useLive(
    () => ask(db.from("members").select("user_id, name, email")),
    "members",
    60_000,
  );
  return html`<${Loaded} of=${live}>${(data) =>
    data.call
      ? html`
        <${One} ...${data} second=${second} people=${people.data} members=${members.data}
          reload=${live.reload} />
      `
      : html`<p class="note">${
        t(
          "There is no such call. It may have been erased.",
          "Cet appel n’existe pas ou a été effacé.",
        )
      }</p>`}<//>`;
}

/**
 * A transcript's passages, `[second, words]`: where the words come with their seconds, `[0:05] Hello`, those; otherwise its
 * sentences, at the seconds that their place in the text makes likely.
 */
function passagesOf(text, seconds) {
  const marked = [...text.matchAll(/\[(\d+):(\d\d)\]\s*([^[]*)/g)];
  if (marked.length > 0) {
    return marked.map(([, m, s, words]) => [Number(m) * 60 + Number(s), words]);
  }
  return [...text.matchAll(/[^.?!]+[.?!]*\s*/g)].map(({ 0: words, index }) => [
    Math.floor(index / text.length * (seconds ?? 0)),
    words,
  ]);
}

/** What was said; a press on a word plays from about there, a button from the beginning of its passage. */
function Transcript({ text, seconds, onSecond }) {
  const passages = passagesOf(text, seconds);
  return html`<blockquote>${
    passages.map(([from, words], n) => {
      const until = passages[n + 1]?.[0] ?? Math.max(seconds ?? 0, from);
      let read = 0;
      return html`
        <p
          key=${n}><button type="button" class="quiet" aria-label=${t(
            `Play from ${minutes(from)}`,
            `Écouter à partir de ${minutes(from)}`,
          )} onClick=${() => onSecond(from)}>${minutes(from)}</button> ${words.split(/(?<=\s)/).map(
            (word, i) => {
              const at = from + (until - from) * read / words.length;
              read += word.length;
              return html`<span key=${i} class="word" onClick=${() => onSecond(at)}>${word}</span>`;
            },
          )}</p>
      `;
    })
  }</blockquote>`;
}

function Recording({ row, call, voicemail, people, reload, second }) {
  const [at, setAt] = useState(second === undefined ? undefined : Number(second));
  const name = row.source === "voicemail"
    ? t("Voicemail", "Message vocal")
    : t("Recording", "Enregistrement");
  return html`<${Card} id=${row.recording_sid} title=${`${name}, ${minutes(row.duration_sec)}`}>
    ${
    row.deleted_at
      ? html`<p class="note">${
        t("The recording was deleted.", "L’enregistrement a été supprimé.")
      }</p>`
      : html`<${Player} call_sid=${call.call_sid} recording_sid=${row.recording_sid} label=${name} at=${at} />`
  }
    ${
    row.transcript &&
    html`<${Transcript} text=${row.transcript} seconds=${row.duration_sec} onSecond=${(at) =>
      // The same second again plays again.
      setAt(at + Math.random() / 1000)} />`
  }
    ${
    voicemail &&
    html`<${Steps} row=${{
      ...voicemail,
      call_sid: call.call_sid,
    }} people=${people} after=${reload} />`
  }
  <//>`;
}

/** One line of the timeline for each thing that happened, in the order of time. */
function timeline({ call, steps, legs, callbacks, people, turns }) {
  const who = (number) => people?.find((person) => person.phone === number)?.name ?? phone(number);
  const words = ({ event, status, meta }) =>
    ({
      arrived: meta.blocked
        ? t("The number is blocked: the call was refused", "Numéro bloqué : appel refusé")
        : t("The call came in", "L’appel est arrivé"),
      agent_left: t(
        "The talk with the assistant ended",
        "La conversation avec l’assistant a pris fin",
      ),
      consent: meta.consent === undefined
        ? t("Recording", "Enregistrement")
        : t("Decided on recording", "A décidé pour l’enregistrement"),
      menu: t("Chose in the menu", "A choisi au menu"),
      route: t("Was put through", "A été transféré"),
      key_pressed: t("Pressed a key", "A appuyé sur une touche"),
      dial_ended: t("The dial ended", "La composition est terminée"),
      queue_waited: t("Waits", "Attend"),
      queue_left: t("Left the queue", "A quitté la file"),
      voicemail_offered: t("Was offered voicemail", "Messagerie proposée"),
      voicemail_recorded: t("Left a message", "A laissé un message"),
      recording: t("The recording was stored", "Enregistrement conservé"),
      transcription: t("The message was written down", "Message transcrit"),
      status: {
        "in-progress": t("On the line", "En ligne"),
        ringing: t("Ringing", "Sonne"),
        completed: t("Ended", "Terminé"),
      }[status] ?? status,
    })[event] ?? event.replaceAll("_", " ");
  const results = {
    accepted: t("talked with the caller", "a parlé à l’appelant"),
    declined: t("declined", "a refusé"),
    mailbox: t("answered, pressed no key", "a répondu, sans touche"),
    taken: t("came after somebody else", "devancé par un autre"),
    caller_left: t("answered, the caller had gone", "a répondu, appelant parti"),
    no_answer: t("did not answer", "n’a pas répondu"),
    busy: t("was busy", "était occupé"),
    canceled: t("stopped ringing", "a cessé de sonner"),
    unreachable: t("could not be reached", "injoignable"),
  };
  // Of the edges of all nodes only an agent's is named so.
  const notOffered = ({ event, path }) =>
    event !== "agent_left" && path?.some(({ outcome }) => outcome === "failed");
  return [
    ...steps.filter((step) => step.leg_sid === null || step.leg_sid === call.call_sid).map((
      step,
    ) => ({
      at: step.occurred_at,
      key: `s${step.id}`,
      words: words(step),
      more: [
        step.meta?.digits && `${t("key", "touche")} ${step.meta.digits}`,
        step.meta?.speech && `“${step.meta.speech}”`,
      ].filter(Boolean).join(", "),
    })),
    ...legs.map((leg) => ({
      at: leg.dialled_at,
      key: leg.leg_sid,
      words: t(`Rang ${who(leg.to_e164)}`, `A fait sonner ${who(leg.to_e164)}`),
      more: leg.result === null ? t("now", "maintenant") : results[leg.result] ?? leg.result,
    })),
    ...steps.filter(notOffered).map((step) => ({
      at: step.occurred_at,
      key: `n${step.id}`,
      words: t("The assistant was not offered", "L’assistant n’a pas été proposé"),
      more: t(
        "its last talks failed, or a limit of the line is reached",
        "ses derniers appels ont échoué, ou une limite de la ligne est atteinte",
      ),
    })),
    ...turns.map((turn) => ({ at: turn.at, key: `t${turn.id}`, ...saidBy(turn) })),
    ...callbacks.map((row) => ({
      at: row.promised_at,
      key: row.id,
      words: t("A call back was promised", "Un rappel a été promis"),
      more: `${row.group_name}: ${row.state}${row.why ? ` (${row.why.replaceAll("_", " ")})` : ""}`,
    })),
    call.ended_at &&
    { at: call.ended_at, key: "end", words: outcome(call), more: minutes(call.duration_sec) },
  ].filter(Boolean).sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

function One(
  {
    call,
    steps,
    legs,
    recordings,
    notes,
    tags,
    voicemails,
    callbacks,
    turns,
    talks,
    questions,
    contact,
    people,
    members,
    reload,
    second,
  },
) {
  const [erasing, setErasing] = useState(false);
  const by = (author) => {
    const member = members?.find(({ user_id }) => user_id === author);
    return member?.name ?? member?.email ?? t("the system", "le système");
  };
  const tag = (name) =>
    ask(db.from("call_tags").insert({ call_sid: call.call_sid, tag: name })).then(reload);
  const untag = (name) =>
    ask(db.from("call_tags").delete().eq("call_sid", call.call_sid).eq("tag", name)).then(reload);
  return html`
    <div class="head">
      <h1>${contact?.name
        ? html`${contact.name} <small>${phone(call.party)}</small>`
        : phone(call.party ?? call.from_e164)}</h1>
      <div class="row"><span class="tag">${outcome(call)}</span>
        ${may("agent") && call.ended_at && html`<${CallBack} call=${call} reload=${reload} />`}
        ${may("agent") && call.party &&
          html`<${Block} number=${call.party} contact=${contact} reload=${reload} />`}
        ${may("admin") && call.ended_at &&
          html`<button type="button" class="danger" onClick=${() => setErasing(true)}>${
            t("Erase", "Effacer")
          }</button>`}
      </div>
    </div>
    ${erasing && html`<${Erase} call=${call} close=${() => setErasing(false)} />`}
    <div class="columns">
      <${Card} id="facts" title=${t("Call", "Appel")}>
        <dl class="facts">
          <dt>${t("Line", "Ligne")}</dt><dd>${phone(call.line ?? call.to_e164)}</dd>
          <dt>${t("Began", "Début")}</dt><dd><${Time} at=${call.started_at} /></dd>
          <dt>${t("Choice", "Choix")}</dt><dd>${call.mode ?? "–"}</dd>
          <dt>${t("Length", "Durée")}</dt><dd>${call.duration_sec === null
            ? "–"
            : minutes(call.duration_sec)}</dd>
          <dt>${t("Recording", "Enregistrement")}</dt><dd>${call.consent_given === null
            ? t("not decided", "non décidé")
            : call.consent_given
            ? t("agreed", "accepté")
            : t("refused", "refusé")}</dd>
          ${call.party && html`
            <dt>${t("Contact", "Contact")}</dt>
            <dd><a href=${`#/contacts/${contact?.id ?? ""}`}>${contact?.name ??
              phone(call.party)}</a>${contact?.company && `, ${contact.company}`}
                      ${contact?.notes && html`<br /><small>${contact.notes}</small>`}</dd>
          `}
          ${talks.length > 0 && html`
            <dt>${t("Assistant", "Assistant")}</dt>
            <dd>${talks.map((talk) =>
              html`<div key=${talk.node}>${minutes(talk.seconds)}, ${
                talk.outcome === null ? t("talks now", "en conversation") : endOf(talk)
              }</div>`
            )}</dd>
            <dt>${t("Cost of models", "Coût des modèles")}</dt>
            <dd>${money(talks.reduce((sum, talk) => sum + Number(talk.cost_usd), 0))}</dd>
          `}
        </dl>
        <ul class="row" aria-label=${t("Tags", "Étiquettes")}>${tags.map(({ tag: name }) =>
          html`<li key=${name} class="tag">${name} ${
            may("agent") &&
            html`<${Do} aria-label=${
              t(`Remove the tag ${name}`, `Retirer l’étiquette ${name}`)
            } act=${() =>
              act(
                () => untag(name),
                t("Tag removed.", "Étiquette retirée."),
                () => tag(name),
              )}>×<//>`
          }</li>`
        )}</ul>
        ${may("agent") && html`
          <${Form} class="inline" label=${t("Add a tag", "Ajouter une étiquette")} button=${t(
            "Add",
            "Ajouter",
          )}
            submit=${async ({ tag: name }, form) => {
              await tag(name.trim().toLowerCase());
              form.reset();
            }}><label>${t(
              "Tag",
              "Étiquette",
            )}<input name="tag" required maxlength="64" autocomplete="off" /></label><//>
        `}
      <//>
      ${questions.length > 0 && html`
        <${Card} id="questions" title=${t("Not answered", "Sans réponse")} n=${questions.length}>
          <ul class="list">${questions.map((row) =>
            html`<${Question} key=${row.id} row=${row} reload=${reload} />`
          )}</ul>
          <//>
      `}
      ${recordings.map((row) =>
        html`
          <${Recording} key=${row
            .recording_sid} row=${row} second=${second} call=${call} people=${people}
            reload=${reload}
            voicemail=${voicemails.find(({ recording_sid }) =>
              recording_sid === row.recording_sid
            )} />
        `
      )}
      <${Card} id="notes" title=${t("Notes", "Notes")} n=${notes.length || undefined}>
        <ul class="list">${notes.map((note) =>
          html`
            <li
              key=${note.id}><div class="grow"><p>${note.body}</p><small>${by(
                note.author,
              )}, <${Time} at=${note.created_at} /></small></div>
                    ${note.author === me.user.id &&
                      html`<${Do} aria-label=${
                        t("Delete this note", "Supprimer cette note")
                      } act=${() =>
                        act(
                          () => ask(db.from("call_notes").delete().eq("id", note.id)).then(reload),
                          t("Note deleted.", "Note supprimée."),
                          () =>
                            ask(
                              db.from("call_notes").insert({
                                call_sid: call.call_sid,
                                body: note.body,
                              }),
                            ).then(reload),
                        )}>×<//>`}</li>
          `
        )}</ul>
        ${may("agent") && html`
          <${Form} class="wide" label=${t("Write a note", "Écrire une note")} button=${t(
            "Add the note",
            "Ajouter",
          )}
            submit=${async ({ body }, form) => {
              await ask(
                db.from("call_notes").insert({ call_sid: call.call_sid, body: body.trim() }),
              );
              form.reset();
              await reload();
            }}><label class="wide">${t(
              "Note",
              "Note",
            )}<textarea name="body" rows="2" required maxlength="4000"></textarea></label><//>
        `}
      <//>
      <${Card} id="timeline" title=${t("What happened", "Déroulement")}>
        <ol class="list">${timeline({ call, steps, legs, callbacks, people, turns }).map((
          { at, key, words, more },
        ) =>
          html`
            <li
              key=${key}><small>${clock(at)}</small> <span class="grow">${words}</span> ${more &&
                html`<small>${more}</small>`}</li>
          `
        )}</ol>
      <//>
    </div>
  `;
}

/** Refuses the number's calls from the next one on, or takes them again. */
export function Block({ number, contact, reload }) {
  const blocked = contact?.blocked ?? false;
  const set = (to) =>
    ask(
      contact
        ? db.from("contacts").update({ blocked: to }).eq("id", contact.id)
        : db.from("contacts").insert({ org_id: me.org_id, phone: number, blocked: to }),
    ).then(reload);
  const back = () => ask(db.from("contacts").update({ blocked }).eq("phone", number)).then(reload);
  return html`${
    blocked && html`<span class="tag bad">${t("Blocked", "Bloqué")}</span>`
  }<${Do} act=${() =>
    act(
      () => set(!blocked),
      blocked
        ? t("Calls of this number are taken again.", "Les appels de ce numéro sont repris.")
        : t(
          "Calls of this number are refused from the next one on.",
          "Les appels de ce numéro sont refusés dès le prochain.",
        ),
      back,
    )}>${blocked ? t("Unblock", "Débloquer") : t("Block this number", "Bloquer ce numéro")}<//>`;
}

function Erase({ call, close }) {
  return html`
    <${Dialog} title=${t("Erase this call", "Effacer cet appel")} close=${close}>
      <p>${t(
        "Its numbers, words, recordings, notes and transcripts are deleted, here and at Twilio. This cannot be taken back. That somebody agreed to be recorded stays as evidence without a name.",
        "Ses numéros, mots, enregistrements, notes et transcriptions sont supprimés, ici et chez Twilio. C’est définitif. La preuve du consentement reste, sans nom.",
      )}</p>
      <${Form} label=${t("Erase", "Effacer")} button=${t(
        "Erase for ever",
        "Effacer définitivement",
      )}
        submit=${async () => {
          await ask(db.rpc("erase_call", { p_call_sid: call.call_sid }));
          go("calls");
        }}><label>${t(
          "Type the word ERASE",
          "Tapez le mot EFFACER",
        )}<input name="word" required pattern=${t(
          "ERASE",
          "EFFACER",
        )} autocomplete="off" /></label><//>
      <//>
  `;
}
