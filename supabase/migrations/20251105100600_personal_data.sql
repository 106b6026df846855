-- The register of personal data: one row for each table of schema public. Erasure, export and expiry work from these rows;
-- tests/db/privacy_test.ts fails for a table or a column that is missing here.

create table public.personal_data (
  table_name text primary key,
  -- Its columns that can hold text: those with personal data, and those that never have any.
  personal text[] not null default '{}',
  other text[] not null default '{}',
  -- An SQL condition on a row t: it is about the person whose calls are $1, number $2, e-mail address $3 and website messages
  -- $4. $5: whether the person asked; false for expired calls and messages.
  of_person text,
  -- The rows' name in an export; null: they add nothing to other rows.
  exported_as text unique,
  -- Null: the rows are deleted when the person is erased.
  kept_because text,
  -- The retention rule of the rows, and a condition on a row t: it is older than $1. Without the condition the rows expire with
  -- their call or message.
  rule text references public.retention_rules (subject),
  expired text,
  constraint personal_data_found check (personal = '{}' or of_person is not null),
  constraint personal_data_told_or_erased check (of_person is null or exported_as is not null or kept_because is null)
);

comment on table public.personal_data is 'Which columns hold personal data, how a person''s rows are found, and how they are exported, erased and expired.';

create index personal_data_rule_idx on public.personal_data (rule);

alter table public.personal_data enable row level security;
create policy personal_data_of_the_service on public.personal_data for select to service_role using (true);
grant select on public.personal_data to service_role;

insert into public.personal_data (table_name, personal, other, of_person, exported_as, kept_because, rule, expired) values
  ('call_logs', '{from_e164, to_e164, party, recording_url, transcript}',
    '{call_sid, direction, line, mode, recording_sid, recording_source, handoff_reason, disposition, last_step, at_node}',
    't.call_sid = any ($1)', 'calls', null, 'calls', null),
  -- The other events hold no number and no words: they expire with their month.
  ('call_lifecycle', '{meta, answer}', '{call_sid, leg_sid, parent_call_sid, status, path}',
    $$t.call_sid = any ($1) and ($5 or t.meta ?| array['speech', 'digits'] or (t.answer).facts ?| array['people', 'self'])$$, 'call_events', null, 'calls', null),
  ('call_legs', '{to_e164}', '{call_sid, leg_sid, node, told, transfer, result}', 't.call_sid = any ($1) or t.to_e164 = $2', 'call_legs',
    null, 'calls', null),
  ('recordings', '{url, transcript}', '{call_sid, recording_sid, leg_sid, source}', 't.call_sid = any ($1)', 'recordings',
    null, 'voicemails', null),
  ('consent_evidence', '{}', '{call_hash, basis, disclosure}',
    't.call_hash in (select public.call_hash(sid) from unnest($1) as sid)', 'consent_evidence',
    'It proves that somebody agreed to be recorded, or did not, and names nobody.', 'consent_evidence', 't.decided_at < $1'),
  ('disclosures', '{}', '{name, policy, key, language, words}',
    $$t.name in (select l.meta #>> '{consent,disclosure}' from public.call_lifecycle as l where l.call_sid = any ($1))$$,
    'disclosures', 'The words of disclosures, which name no person.', null, null),
  ('contact_messages', '{name, email, phone, subject, message}', '{}', 't.id = any ($4)', 'website_messages', null,
    'contact_messages', null),
  ('jobs', '{payload, content}', '{kind, key, status, last_error, result}',
    $$t.payload ->> 'call_sid' = any ($1) or t.payload ->> 'contact_message_id' = any ($4::text[])$$, 'jobs', null,
    'dead_jobs', $$t.status = 'dead' and t.ended_at < $1$$),
  ('idempotency_keys', '{result}', '{key, operation, request_hash, status}', $$t.result ->> 'id' = any ($4::text[])$$, null,
    null, null, null),
  ('rate_limit_refusals', '{identifier}', '{endpoint, identifier_type}', $$t.identifier_type = 'caller' and t.identifier = $2$$,
    'rate_limits', null, null, null),
  ('rate_limit_windows', '{identifier}', '{endpoint, identifier_type}', $$t.identifier_type = 'caller' and t.identifier = $2$$,
    null, null, null, null),
  ('suppressions', '{e164}', '{number_hash, source}', 't.number_hash = public.number_hash($2)', 'suppressions',
    'Somebody who has said stop must not be called or texted again. The number goes; a hash stays, whose key no role may read.', null, null),
  ('queue_entries', '{members, returns_to}', '{call_sid, queue, group_name, node, line, leaving, result}', 't.call_sid = any ($1)', 'queue_entries',
    null, 'calls', 't.queued_at < $1'),
  -- An export would let another make calls that show the number.
  ('call_tokens', '{token}', '{call_sid}', 't.call_sid = any ($1)', null, null, 'calls', 't.kept_at < $1'),
  ('callbacks', '{to_e164, members}', '{call_sid, line, group_name, node, calendar, state, why}',
    't.call_sid = any ($1) or t.to_e164 = $2', 'callbacks', null, 'calls', $$t.state <> 'open' and t.ended_at < $1$$),
  ('dial_attempts', '{to_e164}', '{purpose, call_sid, queue, line, group_name, node, state, leg_sid, result, transfer}',
    't.call_sid = any ($1) or t.to_e164 = $2', 'dial_attempts', null, 'calls', 't.ended_at < $1'),
  ('contacts', '{phone, name, company, notes, consent_source}', '{}', 't.phone = $2', 'contacts', null, 'calls',
    $$t.bare and t.created_at < $1 and not exists (select from public.call_logs as c where c.party = t.phone)$$),
  ('campaign_contacts', '{e164, name, postal_code, consent_source}', '{state, ends}', 't.e164 = $2', 'campaign_contacts', null,
    'calls', 'exists (select from public.campaigns as c where c.id = t.campaign_id and c.ended_at < $1)'),
  ('campaign_dials', '{}', '{number_hash, line, rules, region, zones, consent, result}', 't.number_hash = public.number_hash($2)',
    'campaign_dials', 'It proves by whose consent and when a number was dialled, and names nobody.', 'campaign_dials',
    't.dialled_at < $1'),
  ('campaigns', '{changed_by}', '{name, mode, flow, other_flow, state, window_hours, attempts, machine, consent, caller_name, paused_because}',
    'lower(t.changed_by) = lower($3)', 'campaigns', 'Who runs a campaign is part of its history.', null, null),
  ('campaign_lines', '{}', '{line}', null, null, null, null, null),
  ('campaign_areas', '{}', '{rules, region, zones}', null, null, null, null, null),
  ('campaign_changes', '{}', '{figure}', null, null, null, null, null),
  ('number_keys', '{}', '{key}', null, null, null, null, null),
  ('dial_rates', '{}', '{}', null, null, null, null, null),
  ('call_notes', '{body}', '{call_sid}', 't.call_sid = any ($1)', 'call_notes', null, 'calls', null),
  ('call_tags', '{}', '{call_sid, tag}', 't.call_sid = any ($1)', 'call_tags', null, 'calls', null),
  ('voicemail_steps', '{}', '{call_sid, recording_sid, state}', 't.call_sid = any ($1)', 'voicemail_steps', null, 'voicemails',
    null),
  -- They say again what their sources say.
  ('search_documents', '{party, title, body, fts}', '{kind, ref, call_sid, speaker, lang}',
    $$t.call_sid = any ($1) or t.party = $2 or (t.kind = 'message' and t.ref = any ($4::text[]))$$, null, null, 'calls', null),
  -- A trigger deletes the words of deleted documents.
  -- They go with their document.
  ('search_embeddings', '{}', '{model}', null, null, null, null, null),
  ('search_words', '{word}', '{}', 'false', null, null, null, null),
  ('saved_searches', '{name, query, filters}', '{}',
    $$public.names_number(concat_ws(' ', t.name, t.query, t.filters ->> 'number'), $2, 7)
      or position(lower($3) in lower(concat_ws(' ', t.name, t.query))) > 0$$,
    null, null, null, null),
  ('search_alerts', '{name, query, target}', '{kinds, channel, secret}',
    $$t.channel = 'mail' and lower(t.target) = lower($3) or public.names_number(concat_ws(' ', t.name, t.query), $2, 7)
      or position(lower($3) in lower(concat_ws(' ', t.name, t.query))) > 0$$,
    'search_alerts', null, null, null),
  ('search_alert_matches', '{}', '{kind, ref, call_sid}', 't.call_sid = any ($1)', null, null, 'calls', 't.at < $1'),
  ('search_history', '{words}', '{filters}',
    $$public.names_number(t.words, $2) or position(lower($3) in lower(t.words)) > 0$$,
    'searches', null, 'search_history', 't.at < $1'),
  ('members', '{email, name}', '{}', 'lower($3) = t.email', 'members', 'Their organisation lets them sign in.', null, null),
  ('audit_log', '{}', '{action, object, key, changes}', null, null, null, null, null),
  ('agent_sessions', '{}', '{session_id, call_sid, line, node, language, outcome, reason}', 't.call_sid = any ($1)', 'agent_sessions',
    null, 'calls', 't.opened_at < $1'),
  ('agent_turns', '{planned_text, heard_text, tool_arguments, tool_result}',
    '{session_id, call_sid, kind, node, language, tool, model, provider, outcome, reason}', 't.call_sid = any ($1)', 'agent_turns',
    null, 'calls', 't.at < $1'),
  ('agent_questions', '{question}', '{language, call_sid}', 't.call_sid = any ($1)', 'agent_questions', null, 'calls', 't.last_at < $1'),
  ('knowledge_entries', '{}', '{question, answer, language, fts}', null, null, null, null, null),
  ('agent_providers', '{}', '{provider}', null, null, null, null, null),
  -- Scripted callers and their faults.
  ('agent_evaluations', '{}', '{file, faults}', null, null, null, null, null),
  ('people', '{name, phone, calendar}', '{handle, code}', 't.phone = $2', 'people', 'Their organisation puts calls through to them.', null, null),
  ('call_flows', '{draft, drafted_by}', '{name}',
    $$position('"' || $2 || '"' in t.draft::text) > 0 or lower(t.drafted_by) = lower($3)$$, 'call_flows',
    'The flow is its organisation''s, which may change it.', null, null),
  ('call_flow_versions', '{definition, numbers, steps, published_by, note}', '{hash, uses, calendars, handles, holds, missed_call}',
    '$2 = any (t.numbers) or lower(t.published_by) = lower($3)', 'call_flow_versions',
    'A published version never changes: calls refer to it.', null, null),
  ('call_flow_pointers', '{moved_by}', '{}', 'lower(t.moved_by) = lower($3)', 'call_flow_pointers',
    'Who let a version answer is part of its history.', null, null),
  ('calendar_overrides', '{set_by}', '{calendar, state}', 'lower(t.set_by) = lower($3)', 'calendar_overrides',
    'Who opened or closed a calendar: until the override ends.', null, null),
  ('prompts', '{stored_by}', '{hash, mime}', 'lower(t.stored_by) = lower($3)', 'prompts',
    'The audio is its organisation''s; who stored it is part of its history.', null, null),
  ('analytics_events', '{}', '{event_type, event_data, severity}', null, null, null, 'analytics_events',
    -- A rollback reads the deploy log, however long ago the last deploy was.
    $$t.created_at < $1 and t.event_type !~ '^(deploy|rollback)_'$$),
  ('erased_calls', '{}', '{call_hash}', null, null, null, 'erasures', 't.erased_at < $1'),
  ('erasure_receipts', '{}', '{counts}', null, null, null, 'erasures', 't.erased_at < $1'),
  ('dialled_time', '{}', '{line}', null, null, null, null, null),
  ('flow_counts', '{}', '{node, outcome}', null, null, null, null, null),
  ('flow_counts_until', '{}', '{}', null, null, null, null, null),
  ('call_hours', '{}', '{scope, mode, disposition, hung_up_at}', null, null, null, null, null),
  ('rolled_hours', '{}', '{}', null, null, null, null, null),
  ('lines', '{}', '{line}', null, null, null, null, null),
  ('alert_rules', '{}', '{alert, severity, comparison, unit, summary, action}', null, null, null, null, null),
  ('alert_episodes', '{}', '{alert, severity}', null, null, null, null, null),
  ('function_metrics', '{}', '{function}', null, null, null, null, null),
  ('function_totals', '{}', '{function}', null, null, null, null, null),
  ('health_checks', '{}', '{failing}', null, null, null, null, null),
  ('worker_runs', '{}', '{worker}', null, null, null, null, null),
  ('job_kinds', '{}', '{kind, worker, held_for}', null, null, null, null, null),
  ('retention_rules', '{}', '{subject, why}', null, null, null, null, null),
  ('personal_data', '{}', '{table_name, personal, other, of_person, exported_as, kept_because, rule, expired}', null, null,
    null, null, null),
  ('telephony_numbers', '{}', '{e164_number, number_sid, country}', null, null, null, null, null),
  ('telephony_subaccounts', '{}', '{subaccount_sid, business_name}', null, null, null, null, null),
  ('telephony_secrets', '{}', '{subaccount_sid, sealed_token}', null, null, null, null, null),
  ('telephony_transactions', '{}',
    '{transaction_type, status, steps_completed, error_message, request, idempotency_key, result}', null, null, null, null,
    null);
