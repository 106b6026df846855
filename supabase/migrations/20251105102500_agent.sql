-- Talks with AI agents: sessions, turns, what agents may answer, and how their models do.

-- A socket of ConversationRelay. A talk that moves to another isolate has several.
create table public.agent_sessions (
  session_id text primary key constraint agent_sessions_id_form check (session_id ~ '^VX[0-9a-fA-F]{32}$'),
  call_sid text not null constraint agent_sessions_call_sid_form check (call_sid ~ '^CA[0-9a-fA-F]{32}$'),
  org_id uuid,
  line public.e164,
  flow_version bigint,
  node text not null constraint agent_sessions_node_form check (node ~ '^[a-z][a-z0-9_]{0,31}$'),
  language text not null constraint agent_sessions_language_length check (length(language) between 2 and 35),
  opened_at timestamptz not null default clock_timestamp(),
  -- Of its newest turn.
  seen_at timestamptz not null default clock_timestamp(),
  -- Null: open, or lost with its isolate.
  ended_at timestamptz,
  outcome text constraint agent_sessions_outcome_length check (length(outcome) between 1 and 64),
  reason text constraint agent_sessions_reason_length check (length(reason) between 1 and 64),
  cost_usd numeric(12, 6) not null default 0 constraint agent_sessions_cost_range check (cost_usd >= 0),
  constraint agent_sessions_ended_whole check ((ended_at is null) = (outcome is null))
);

comment on table public.agent_sessions is 'Sockets between calls and AI agents. A talk that moved has several.';

create index agent_sessions_call_idx on public.agent_sessions (call_sid, opened_at);
create index agent_sessions_line_idx on public.agent_sessions (line, opened_at desc);
create index agent_sessions_open_idx on public.agent_sessions (seen_at) where ended_at is null;

alter table public.agent_sessions enable row level security;
create policy agent_sessions_of_own_org on public.agent_sessions for select to authenticated
  using (coalesce(org_id, '00000000-0000-0000-0000-000000000000') = (select public.current_owner()));
create policy agent_sessions_of_the_service on public.agent_sessions to service_role using (true) with check (true);

-- What was said and done in a talk. Append-only: only erasure changes a row, by taking its words away.
create table public.agent_turns (
  id bigint generated always as identity primary key,
  session_id text not null references public.agent_sessions (session_id) on delete cascade,
  -- Its place in the session; a row that is written twice is one.
  seq smallint not null constraint agent_turns_seq_range check (seq >= 0),
  call_sid text not null,
  org_id uuid,
  at timestamptz not null,
  kind text not null constraint agent_turns_kind_known check (kind in (
    'disclosure', 'caller', 'agent', 'fixed', 'tool', 'failure', 'left'
  )),
  flow_version bigint,
  node text not null,
  language text not null,
  -- What was to be said; of an agent's words, what was heard of them; of the caller's, what was understood.
  planned_text text constraint agent_turns_planned_length check (length(planned_text) <= 8000),
  heard_text text constraint agent_turns_heard_length check (length(heard_text) <= 8000),
  tool text constraint agent_turns_tool_length check (length(tool) <= 64),
  tool_arguments jsonb,
  tool_result jsonb,
  -- As flows name it: `anthropic:claude-haiku-5-5`, `embedded`.
  model text constraint agent_turns_model_length check (length(model) <= 200),
  provider text generated always as (split_part(model, ':', 1)) stored,
  first_token_ms integer constraint agent_turns_first_token_range check (first_token_ms >= 0),
  total_ms integer constraint agent_turns_total_range check (total_ms >= 0),
  tokens_in integer constraint agent_turns_tokens_in_range check (tokens_in >= 0),
  tokens_out integer constraint agent_turns_tokens_out_range check (tokens_out >= 0),
  cost_usd numeric(12, 6) constraint agent_turns_cost_range check (cost_usd >= 0),
  outcome text constraint agent_turns_outcome_length check (length(outcome) <= 64),
  reason text constraint agent_turns_reason_length check (length(reason) <= 64),
  constraint agent_turns_key unique (session_id, seq)
);

comment on table public.agent_turns is 'What was said and done in talks with AI agents. Append-only.';

create index agent_turns_call_idx on public.agent_turns (call_sid, id);
create index agent_turns_at_idx on public.agent_turns (at desc);

alter table public.agent_turns enable row level security;
create policy agent_turns_of_own_org on public.agent_turns for select to authenticated
  using (coalesce(org_id, '00000000-0000-0000-0000-000000000000') = (select public.current_owner()));
create policy agent_turns_of_the_service on public.agent_turns to service_role using (true) with check (true);

-- What agents may answer: only this, and nothing of a model's own.
create table public.knowledge_entries (
  id uuid primary key default gen_random_uuid(),
  org_id uuid default public.current_org_id(),
  owner uuid not null generated always as (coalesce(org_id, '00000000-0000-0000-0000-000000000000')) stored,
  question text not null constraint knowledge_entries_question_length check (length(btrim(question)) between 1 and 500),
  answer text not null constraint knowledge_entries_answer_length check (length(btrim(answer)) between 1 and 2000),
  language text not null default 'en-US'
    constraint knowledge_entries_language_form check (language ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  fts tsvector not null generated always as (
    case split_part(language, '-', 1)
      when 'en' then to_tsvector('public.search_english', question || ' ' || answer)
      when 'fr' then to_tsvector('public.search_french', question || ' ' || answer)
      when 'es' then to_tsvector('public.search_spanish', question || ' ' || answer)
      else to_tsvector('public.search_names', question || ' ' || answer)
    end
  ) stored,
  constraint knowledge_entries_key unique (owner, language, question)
);

comment on table public.knowledge_entries is 'Questions and answers that AI agents may use. org_id null: of the main account.';

create index knowledge_entries_words_idx on public.knowledge_entries using gin (owner, fts);

alter table public.knowledge_entries enable row level security;
create policy knowledge_entries_of_own_org on public.knowledge_entries
  for select to authenticated using (owner = (select public.current_owner()));
create policy knowledge_entries_by_admins_added on public.knowledge_entries for insert to authenticated
  with check (owner = (select public.current_owner()) and (select public.my_role()) >= 'admin');
create policy knowledge_entries_by_admins_changed on public.knowledge_entries for update to authenticated
  using (owner = (select public.current_owner()) and (select public.my_role()) >= 'admin')
  with check (owner = (select public.current_owner()));
create policy knowledge_entries_by_admins_deleted on public.knowledge_entries for delete to authenticated
  using (owner = (select public.current_owner()) and (select public.my_role()) >= 'admin');
create policy knowledge_entries_of_the_service on public.knowledge_entries to service_role using (true) with check (true);

-- Questions to which nothing was found: one row a call, which goes with the call's words.
create table public.agent_questions (
  id bigint generated always as identity primary key,
  org_id uuid,
  owner uuid not null generated always as (coalesce(org_id, '00000000-0000-0000-0000-000000000000')) stored,
  language text not null,
  question text not null constraint agent_questions_question_length check (length(question) between 1 and 500),
  asked integer not null default 1 constraint agent_questions_asked_range check (asked > 0),
  call_sid text not null,
  first_at timestamptz not null default now(),
  last_at timestamptz not null default now(),
  -- It needs no answer.
  dismissed boolean not null default false
);

comment on table public.agent_questions is 'Questions that AI agents could not answer.';

create unique index agent_questions_once on public.agent_questions (call_sid, language, lower(question));
create index agent_questions_words_idx on public.agent_questions (owner, language, lower(question));

alter table public.agent_questions enable row level security;
create policy agent_questions_of_own_org on public.agent_questions
  for select to authenticated using (owner = (select public.current_owner()));
create policy agent_questions_by_admins_dismissed on public.agent_questions for update to authenticated
  using (owner = (select public.current_owner()) and (select public.my_role()) >= 'admin')
  with check (owner = (select public.current_owner()));
create policy agent_questions_of_the_service on public.agent_questions to service_role using (true) with check (true);

-- How providers of models do, for all isolates. Read and written by the round trips that talks make anyway.
create table public.agent_providers (
  provider text primary key constraint agent_providers_name_length check (length(provider) between 1 and 32),
  -- In a row.
  failures integer not null default 0 constraint agent_providers_failures_range check (failures >= 0),
  failed_at timestamptz,
  answered_at timestamptz,
  -- Not asked before, unless there is no other.
  rests_until timestamptz
);

comment on table public.agent_providers is 'Health of the providers of language models.';

alter table public.agent_providers enable row level security;
create policy agent_providers_of_the_installation on public.agent_providers
  for select to authenticated using ((select public.runs_installation()));
create policy agent_providers_of_the_service on public.agent_providers to service_role using (true) with check (true);

-- Why a line's agents cannot take a talk now; null: they can. p_caps: {minutes, cost_usd, concurrent_line}, of the line, and
-- {concurrent}, of all.
create function public.agent_barred(p_line text, p_caps jsonb) returns text
language plpgsql stable set search_path = ''
as $$
declare
  v_day constant timestamptz := date_trunc('day', now(), 'UTC');
  v record;
begin
  select
    coalesce(sum(extract(epoch from coalesce(s.ended_at, s.seen_at) - s.opened_at)), 0) / 60 as minutes, coalesce(sum(s.cost_usd), 0) as cost
  into v
  from public.agent_sessions as s where s.line = p_line and s.opened_at >= v_day;
  if v.minutes >= (p_caps ->> 'minutes')::numeric then
    return 'day_minutes';
  elsif v.cost >= (p_caps ->> 'cost_usd')::numeric then
    return 'day_cost';
  end if;
  -- A session whose isolate was killed is not open for long: a talk writes a row at least each half minute, or ends.
  select count(*) as talks, count(*) filter (where s.line = p_line) as of_line into v
  from public.agent_sessions as s where s.ended_at is null and s.seen_at > now() - interval '2 minutes';
  if v.talks >= (p_caps ->> 'concurrent')::integer then
    return 'concurrent_talks';
  elsif v.of_line >= (p_caps ->> 'concurrent_line')::integer then
    return 'concurrent_talks_of_line';
  end if;
  -- The last five talks of the line failed, all within five minutes.
  select count(*) as talks, bool_and(t.outcome = 'failed') as all_failed into v
  from (
    select s.outcome from public.agent_sessions as s
    where s.line = p_line and s.ended_at > now() - interval '5 minutes' and s.outcome <> 'resume'
    order by s.opened_at desc limit 5
  ) as t;
  return case when v.talks = 5 and v.all_failed then 'agent_failing' end;
end
$$;

-- Begins a session, or goes on with its talk: {entries, spent_ms, cost_usd, sessions, moved, owes, barred?, resting}. p_session:
-- {session_id, call_sid, line, node, language, caps}. A session that is opened twice is one.
create function public.open_agent_session(p_session jsonb) returns jsonb
language plpgsql volatile set search_path = '' set lock_timeout = '1s'
as $$
declare
  s public.agent_sessions := jsonb_populate_record(null::public.agent_sessions, p_session - 'caps');
  v_call record;
  v record;
  v_barred text;
begin
  select c.org_id, c.flow_version, c.line into v_call from public.call_logs as c where c.call_sid = s.call_sid;
  if not found and exists (select from public.erased_calls as x where x.call_hash = public.call_hash(s.call_sid)) then
    raise sqlstate 'PT403' using message = 'this call was erased';
  end if;
  if exists (select from public.agent_sessions as o where o.session_id = s.session_id and o.call_sid <> s.call_sid) then
    raise sqlstate 'PT403' using message = 'this session is another call''s';
  end if;
  s.line := coalesce(v_call.line, s.line);
  -- A call whose arrival could not be stored is its line's owner's, not the main account's.
  s.org_id := coalesce(v_call.org_id, (select n.org_id from public.telephony_numbers as n where n.e164_number = s.line));
  select
    count(*) as sessions, coalesce(sum(extract(epoch from coalesce(o.ended_at, o.seen_at) - o.opened_at) * 1000), 0)::bigint as spent_ms,
    coalesce(sum(o.cost_usd), 0) as cost_usd, (array_agg(o.outcome order by o.opened_at desc))[1] as last,
    (array_agg(o.reason order by o.opened_at desc))[1] as reason
  into v
  from public.agent_sessions as o where o.call_sid = s.call_sid and o.node = s.node and o.session_id <> s.session_id;
  if v.sessions = 0 then
    -- Talks that begin at the same time count each other.
    perform pg_advisory_xact_lock(hashtextextended('agent_sessions', 0));
    v_barred := public.agent_barred(s.line, p_session -> 'caps');
  end if;
  insert into public.agent_sessions (session_id, call_sid, org_id, line, flow_version, node, language)
  values (s.session_id, s.call_sid, s.org_id, s.line, v_call.flow_version, s.node, s.language)
  on conflict (session_id) do nothing;
  return jsonb_strip_nulls(jsonb_build_object(
    'entries', (
      select coalesce(jsonb_agg(e.entry order by e.id), '[]') from (
        select t.id, case t.kind
          when 'caller' then jsonb_build_object('role', 'caller', 'text', t.heard_text)
          when 'agent' then jsonb_build_object('role', 'agent', 'text', t.heard_text)
          when 'tool' then jsonb_build_object(
            'role', 'tool', 'result', t.tool_result,
            'call', jsonb_build_object('id', 'turn_' || t.id, 'name', t.tool, 'arguments', coalesce(t.tool_arguments, '{}')::text)
          )
        end as entry
        from public.agent_turns as t
        where t.call_sid = s.call_sid and t.node = s.node and (
          t.kind in ('caller', 'agent') and t.heard_text <> '' or t.kind = 'tool' and t.tool_result is not null
        )
        order by t.id desc limit 60
      ) as e
    ),
    'spent_ms', v.spent_ms, 'cost_usd', v.cost_usd, 'sessions', v.sessions, 'moved', v.last is not distinct from 'resume',
    -- What the caller said last is not answered yet.
    'owes', v.last is not distinct from 'resume' and v.reason is not distinct from 'moved_unanswered',
    'barred', v_barred,
    'resting', (select coalesce(jsonb_agg(p.provider), '[]') from public.agent_providers as p where p.rests_until > now())
  ));
end
$$;

-- Writes turns of a session, counts what its models did, and ends it where p_end, {outcome, reason}, is given. Again: the same.
create function public.record_agent_turns(p_session_id text, p_turns jsonb, p_end jsonb default null) returns void
language plpgsql volatile set search_path = '' set lock_timeout = '1s'
as $$
declare
  s public.agent_sessions;
  v record;
begin
  -- As the call's events: the session and the call are locked in one order.
  perform pg_advisory_xact_lock(hashtextextended(o.call_sid, 0)) from public.agent_sessions as o where o.session_id = p_session_id;
  select * into s from public.agent_sessions as o where o.session_id = p_session_id for no key update;
  -- Erased meanwhile.
  if not found then
    return;
  end if;
  for v in
    with added as (
      insert into public.agent_turns (
        session_id, seq, call_sid, org_id, at, kind, flow_version, node, language, planned_text, heard_text, tool, tool_arguments,
        tool_result, model, first_token_ms, total_ms, tokens_in, tokens_out, cost_usd, outcome, reason
      )
      select
        s.session_id, t.seq, s.call_sid, s.org_id, coalesce(t.at, now()), t.kind, s.flow_version, s.node, s.language, t.planned_text,
        t.heard_text, t.tool, t.tool_arguments, t.tool_result, t.model, t.first_token_ms, t.total_ms, t.tokens_in, t.tokens_out,
        t.cost_usd, t.outcome, t.reason
      from jsonb_populate_recordset(
        null::public.agent_turns, jsonb_path_query_array(p_turns, '$[*] ? (!exists(@.redacts))')
      ) as t
      order by t.seq
      on conflict (session_id, seq) do nothing
      returning *
    )
    select a.provider, sum(a.cost_usd) as cost,
      count(*) filter (where a.kind = 'failure') as failed, count(*) filter (where a.kind = 'agent') as answered
    from added as a where a.provider is not null group by a.provider order by a.provider
  loop
    s.cost_usd := s.cost_usd + coalesce(v.cost, 0);
    if v.failed + v.answered > 0 and v.provider <> 'embedded' then
      insert into public.agent_providers as p (provider, failures, failed_at, answered_at)
      values (
        v.provider, case when v.answered > 0 then 0 else v.failed end,
        case when v.failed > 0 then now() end, case when v.answered > 0 then now() end
      )
      on conflict (provider) do update set
        failures = case when v.answered > 0 then 0 else p.failures + v.failed end,
        failed_at = coalesce(excluded.failed_at, p.failed_at),
        answered_at = coalesce(excluded.answered_at, p.answered_at),
        rests_until = case when v.answered = 0 and p.failures + v.failed >= 5 then now() + interval '1 minute' end;
    end if;
  end loop;
  update public.agent_sessions as o set
    seen_at = clock_timestamp(), cost_usd = s.cost_usd,
    ended_at = coalesce(o.ended_at, case when p_end is not null then clock_timestamp() end),
    outcome = coalesce(o.outcome, p_end ->> 'outcome'),
    reason = coalesce(o.reason, p_end ->> 'reason')
  where o.session_id = p_session_id;
  if jsonb_path_exists(p_turns, '$[*] ? (@.redacts == true)') then
    perform public.redact_agent_turns(p_session_id, p_turns);
  end if;
  if p_end is not null or jsonb_path_exists(p_turns, '$[*] ? (@.outcome == "answered")') then
    update public.call_logs as c set agent_served = w.served, updated_at = now()
    from (select public.agent_served(s.call_sid) as served) as w
    where c.call_sid = s.call_sid and c.agent_served <> w.served;
  end if;
  perform public.index_source('call', null, s.call_sid);
end
$$;

-- Replaces the words of turns that later turns show to hold parts of a card or identity number, and takes the questions away
-- that were asked with them. p_turns: those with `redacts`, by their seq. Words that were erased stay away.
create function public.redact_agent_turns(p_session_id text, p_turns jsonb) returns void
language sql volatile security definer set search_path = ''
begin atomic
  delete from public.agent_questions as q using public.agent_turns as t, jsonb_array_elements(p_turns) as r
  where t.session_id = p_session_id and t.seq = (r.value ->> 'seq')::smallint and (r.value ->> 'redacts')::boolean
    and t.tool = 'answer' and q.call_sid = t.call_sid
    and lower(q.question) = lower(left(btrim(regexp_replace(t.tool_arguments ->> 'question', '\s+', ' ', 'g')), 500));
  update public.agent_turns as t set
    planned_text = case when t.planned_text is not null then r.value ->> 'planned_text' end,
    heard_text = case when t.heard_text is not null then r.value ->> 'heard_text' end,
    tool_arguments = case when t.tool_arguments is not null then r.value -> 'tool_arguments' end
  from jsonb_array_elements(p_turns) as r
  where t.session_id = p_session_id and t.seq = (r.value ->> 'seq')::smallint and (r.value ->> 'redacts')::boolean;
end;

-- Whether the agent served a call to its end: the caller said goodbye, was promised a call back, or hung up in a talk in which a
-- question had been answered. A talk that led elsewhere was not the end. By the rows alone, so that the order in which they
-- are written does not matter.
create function public.agent_served(p_call_sid text) returns boolean
language sql stable set search_path = ''
begin atomic
  select coalesce((
    select case coalesce(s.outcome, 'hung_up')
      when 'done' then true
      when 'callback' then exists (select from public.callbacks as k where k.call_sid = p_call_sid)
      when 'hung_up' then a.answered
      -- Gone before the next socket was open.
      when 'resume' then a.answered
      else false
    end
    from public.agent_sessions as s
    cross join (
      select exists (
        select from public.agent_turns as t where t.call_sid = p_call_sid and t.kind = 'agent' and t.outcome = 'answered'
      ) as answered
    ) as a
    where s.call_sid = p_call_sid order by s.opened_at desc, s.session_id desc limit 1
  ), false);
end;

-- What an agent told of the caller whom it transfers; null: nothing.
create function public.transfer_summary(p_call_sid text) returns text
language sql stable set search_path = ''
begin atomic
  select t.tool_arguments ->> 'summary' from public.agent_turns as t
  where t.call_sid = p_call_sid and t.tool = 'transfer' and t.tool_arguments ->> 'summary' <> ''
  order by t.id desc limit 1;
end;

-- The end of a talk as Twilio tells it: closes what is open, and counts a socket that never opened as a failed talk. p_end:
-- {session_id?, outcome, reason, node, language}.
create function public.end_agent_sessions(c public.call_logs, p_end jsonb) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  update public.agent_sessions as s set ended_at = clock_timestamp(), outcome = p_end ->> 'outcome', reason = p_end ->> 'reason'
  where s.call_sid = c.call_sid and s.ended_at is null;
  if not found and p_end ->> 'outcome' = 'failed' and p_end ->> 'session_id' ~ '^VX[0-9a-fA-F]{32}$' then
    insert into public.agent_sessions (
      session_id, call_sid, org_id, line, flow_version, node, language, ended_at, outcome, reason
    )
    values (
      p_end ->> 'session_id', c.call_sid, c.org_id, c.line, c.flow_version, coalesce(p_end ->> 'node', 'agent'),
      coalesce(p_end ->> 'language', 'en-US'), clock_timestamp(), 'failed', p_end ->> 'reason'
    )
    on conflict (session_id) do nothing;
  end if;
end
$$;

-- The entries that fit a question, best first. A question without one is counted.
create function public.answer_question(p_call_sid text, p_question text, p_language text, p_limit integer default 3) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_session constant public.agent_sessions := (
    select s from public.agent_sessions as s where s.call_sid = p_call_sid order by s.opened_at desc limit 1
  );
  v_org_id constant uuid := v_session.org_id;
  v_owner constant uuid := coalesce(v_org_id, '00000000-0000-0000-0000-000000000000');
  v_base constant text := split_part(p_language, '-', 1);
  v_question constant text := left(btrim(regexp_replace(p_question, '\s+', ' ', 'g')), 500);
  v_words constant text[] := tsvector_to_array(case v_base
    when 'en' then to_tsvector('public.search_english', v_question)
    when 'fr' then to_tsvector('public.search_french', v_question)
    when 'es' then to_tsvector('public.search_spanish', v_question)
    else to_tsvector('public.search_names', v_question)
  end);
  v_any constant tsquery := array_to_string(array(select quote_literal(w) from unnest(v_words) as w), ' | ')::tsquery;
  v_found jsonb;
begin
  -- Without a session the owner is unknown, and no entries are read.
  if v_session.session_id is null then
    return '[]';
  end if;
  select coalesce(jsonb_agg(jsonb_build_object('question', f.question, 'answer', f.answer) order by f.met desc, f.rank desc, f.id), '[]')
  into v_found
  from (
    select k.id, k.question, k.answer, ts_rank(k.fts, v_any) as rank,
      (select count(*) from unnest(v_words) as w where k.fts @@ quote_literal(w)::tsquery) as met
    from public.knowledge_entries as k
    where k.owner = v_owner and k.fts @@ v_any and split_part(k.language, '-', 1) = v_base
    order by met desc, rank desc, k.id
    limit least(greatest(p_limit, 1), 10)
  ) as f
  -- Half of what was asked for, or it is another question.
  where f.met * 2 >= cardinality(v_words);
  if v_found = '[]' and v_question <> '' then
    insert into public.agent_questions as q (org_id, language, question, call_sid)
    values (v_org_id, p_language, v_question, p_call_sid)
    on conflict (call_sid, language, lower(question)) do update set asked = q.asked + 1, last_at = now();
  end if;
  return v_found;
end
$$;

-- What the calendars of a call's flow are now: {name: open | closed}.
create function public.agent_hours(p_call_sid text) returns jsonb
language sql stable set search_path = ''
begin atomic
  select coalesce((
    select public.calendar_states(v.calendars)
    from public.call_logs as c join public.call_flow_versions as v on v.id = c.flow_version
    where c.call_sid = p_call_sid
  ), '{}');
end;

-- Takes the words out of talks whose callers did not agree to be recorded, once their calls are over, their questions included.
-- What was counted stays.
create function public.erase_agent_words(p_batch integer default 1000) returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_count integer;
begin
  update public.agent_turns as t set planned_text = null, heard_text = null, tool_arguments = null, tool_result = null
  from (
    select o.id from public.agent_turns as o
    join public.call_logs as c on c.call_sid = o.call_sid
    where c.status >= 'lost' and c.consent_given is not true and o.at > now() - interval '2 days'
      and o.kind <> 'disclosure'
      and (o.planned_text is not null or o.heard_text is not null or o.tool_arguments is not null or o.tool_result is not null)
    order by o.id limit p_batch for update of o skip locked
  ) as w
  where t.id = w.id;
  get diagnostics v_count = row_count;
  delete from public.agent_questions as q using public.call_logs as c
  where c.call_sid = q.call_sid and c.status >= 'lost' and c.consent_given is not true and q.last_at > now() - interval '2 days';
  return v_count;
end
$$;

-- --- evaluation ---------------------------------------------------------------------------------------------

-- Runs of `task agent evaluate`: how many of a file's callers a version served.
create table public.agent_evaluations (
  id bigint generated always as identity primary key,
  org_id uuid,
  -- No reference: a version is never deleted.
  flow_version bigint not null,
  file text not null constraint agent_evaluations_file_length check (length(file) between 1 and 200),
  callers integer not null constraint agent_evaluations_callers_range check (callers > 0),
  served integer not null constraint agent_evaluations_served_range check (served between 0 and callers),
  -- [{caller, outcome, faults}]: those who were not served.
  faults jsonb not null default '[]' constraint agent_evaluations_faults_list check (jsonb_typeof(faults) = 'array'),
  at timestamptz not null default now()
);

comment on table public.agent_evaluations is 'Runs of scripted callers against a version of a flow, and how many of them were served.';

alter table public.agent_evaluations enable row level security;
create policy agent_evaluations_of_own_org on public.agent_evaluations for select to authenticated
  using (coalesce(org_id, '00000000-0000-0000-0000-000000000000') = (select public.current_owner()));
create policy agent_evaluations_of_the_service on public.agent_evaluations to service_role using (true) with check (true);

-- Keeps a run, and returns the last one of each version of its flow by the same file, newest version first: [{version,
-- callers, served, at}].
create function public.keep_agent_evaluation(
  p_flow_version bigint, p_file text, p_callers integer, p_served integer, p_faults jsonb
) returns jsonb
language plpgsql volatile set search_path = ''
as $$
begin
  insert into public.agent_evaluations (org_id, flow_version, file, callers, served, faults)
  select f.org_id, v.id, p_file, p_callers, p_served, p_faults
  from public.call_flow_versions as v join public.call_flows as f on f.id = v.flow_id where v.id = p_flow_version;
  return (
    select coalesce(jsonb_agg(jsonb_build_object(
      'version', w.version, 'callers', e.callers, 'served', e.served, 'at', e.at
    ) order by w.version desc), '[]')
    from public.call_flow_versions as v
    join public.call_flow_versions as w on w.flow_id = v.flow_id
    cross join lateral (
      select o.* from public.agent_evaluations as o where o.flow_version = w.id and o.file = p_file order by o.id desc limit 1
    ) as e
    where v.id = p_flow_version
  );
end
$$;

-- --- views --------------------------------------------------------------------------------------------------

create view public.agent_calls with (security_invoker = true) as
select
  s.call_sid, s.node, min(s.org_id::text)::uuid as org_id, min(s.line) as line, max(s.flow_version) as flow_version,
  min(s.opened_at) as started_at, max(s.ended_at) as ended_at,
  round(sum(extract(epoch from coalesce(s.ended_at, s.seen_at) - s.opened_at)))::integer as seconds,
  count(*)::integer as sessions, (array_agg(s.language order by s.opened_at desc))[1] as language,
  (array_agg(s.outcome order by s.opened_at desc))[1] as outcome, (array_agg(s.reason order by s.opened_at desc))[1] as reason,
  sum(s.cost_usd) as cost_usd, sum(t.caller_turns)::integer as caller_turns, sum(t.agent_turns)::integer as agent_turns,
  sum(t.failures)::integer as failures
from public.agent_sessions as s
cross join lateral (
  select
    count(*) filter (where a.kind = 'caller') as caller_turns, count(*) filter (where a.kind = 'agent') as agent_turns,
    count(*) filter (where a.kind = 'failure') as failures
  from public.agent_turns as a where a.session_id = s.session_id
) as t
group by s.call_sid, s.node;

comment on view public.agent_calls is 'Talks with AI agents: how long, how they ended, what they cost.';

create view public.agent_turn_latency with (security_invoker = true) as
select
  date_trunc('hour', t.at) as hour, t.org_id, t.model, t.provider, count(*)::integer as answers,
  percentile_disc(0.5) within group (order by t.first_token_ms) as first_token_p50_ms,
  percentile_disc(0.95) within group (order by t.first_token_ms) as first_token_p95_ms,
  max(t.first_token_ms) as first_token_max_ms,
  percentile_disc(0.5) within group (order by t.total_ms) as total_p50_ms,
  percentile_disc(0.95) within group (order by t.total_ms) as total_p95_ms
from public.agent_turns as t
where t.kind = 'agent' and t.model is not null and t.at > now() - interval '7 days'
group by 1, 2, 3, 4;

comment on view public.agent_turn_latency is 'How long models took in the last 7 days, by hour: to the first token and to the end.';

create view public.agent_handoffs with (security_invoker = true) as
select
  t.call_sid, t.org_id, t.at, t.node, t.outcome, t.reason,
  case when t.outcome like 'departments.%' then split_part(t.outcome, '.', 2) end as department,
  w.tool_arguments ->> 'summary' as summary,
  -- What came of it: of the legs that were dialled after it, the one that went furthest; where none was, the way that the
  -- flow went: closed, unanswered (nobody can be rung), full, gave_up.
  coalesce(l.result, p.outcome) as result, l.answered_at, l.accepted_at
from public.agent_turns as t
left join lateral (
  select a.tool_arguments from public.agent_turns as a
  where a.session_id = t.session_id and a.tool = 'transfer' and a.id < t.id order by a.id desc limit 1
) as w on t.outcome like 'departments.%'
left join lateral (
  select g.result, g.answered_at, g.accepted_at, g.dialled_at from public.call_legs as g
  where g.call_sid = t.call_sid and g.dialled_at >= t.at - interval '1 minute'
  order by g.accepted_at is null, g.answered_at is null, g.dialled_at desc limit 1
) as l on true
left join lateral (
  select e.value ->> 'outcome' as outcome
  from public.call_lifecycle as y cross join lateral jsonb_array_elements(y.path) with ordinality as e
  where y.call_sid = t.call_sid and y.event = 'agent_left'
    and y.received_at >= t.at - interval '1 minute' and y.received_at < t.at + interval '1 hour'
    and e.value ->> 'outcome' in ('closed', 'unanswered', 'full', 'gave_up')
  order by y.id desc, e.ordinality desc limit 1
) as p on l.dialled_at is null
where t.kind = 'left' and t.outcome <> 'resume' and t.outcome <> 'done';

comment on view public.agent_handoffs is 'Talks that led to a person or a message: why, and what came of it.';

create view public.agent_provider_health with (security_invoker = true) as
select
  p.provider, p.failures as failures_in_a_row, p.failed_at, p.answered_at, p.rests_until,
  case when p.rests_until > now() then 'resting' when p.failures > 0 then 'failing' else 'healthy' end as state,
  h.answers as answers_last_hour, h.failures as failures_last_hour, h.first_token_p95_ms
from public.agent_providers as p
cross join lateral (
  select
    count(*) filter (where t.kind = 'agent')::integer as answers, count(*) filter (where t.kind = 'failure')::integer as failures,
    percentile_disc(0.95) within group (order by t.first_token_ms) filter (where t.kind = 'agent') as first_token_p95_ms
  from public.agent_turns as t
  where t.kind in ('agent', 'failure') and t.provider = p.provider and t.at > now() - interval '1 hour'
) as h;

comment on view public.agent_provider_health is 'How the providers of language models do.';

create view public.agent_cost_by_day with (security_invoker = true) as
select
  (t.at at time zone 'UTC')::date as day, t.org_id, s.line, t.model,
  count(*) filter (where t.kind = 'agent')::integer as answers,
  sum(t.tokens_in)::bigint as tokens_in, sum(t.tokens_out)::bigint as tokens_out, sum(t.cost_usd) as cost_usd
from public.agent_turns as t join public.agent_sessions as s on s.session_id = t.session_id
where t.cost_usd is not null and t.model is not null
group by 1, 2, 3, 4;

comment on view public.agent_cost_by_day is 'What models cost, by day (UTC), line and model.';

create view public.agent_unanswered_questions with (security_invoker = true) as
select
  min(q.id) as id, q.org_id, q.language, (array_agg(q.question order by q.id))[1] as question, sum(q.asked)::integer as asked,
  min(q.first_at) as first_at, max(q.last_at) as last_at, (array_agg(q.call_sid order by q.last_at desc, q.id desc))[1] as call_sid
from public.agent_questions as q
where not exists (
  select from public.knowledge_entries as k
  where k.owner = q.owner and k.language = q.language and lower(k.question) = lower(q.question)
)
group by q.org_id, q.owner, q.language, lower(q.question)
-- Of any call that asked it: later ones stay away too.
having not bool_or(q.dismissed);

comment on view public.agent_unanswered_questions is 'Questions that nobody has answered or dismissed; an entry with the same question ends one.';

grant select on
  public.agent_sessions, public.agent_turns, public.agent_questions, public.agent_calls, public.agent_turn_latency,
  public.agent_handoffs, public.agent_cost_by_day, public.agent_unanswered_questions, public.agent_evaluations,
  public.agent_providers, public.agent_provider_health
  to authenticated;
grant update (dismissed) on public.agent_questions to authenticated;
grant select, delete on public.knowledge_entries to authenticated;
grant insert (question, answer, language), update (question, answer, language, updated_at) on public.knowledge_entries to authenticated;
grant select, insert, update on public.agent_sessions, public.agent_questions, public.agent_providers to service_role;
grant select, insert on public.agent_turns, public.agent_evaluations to service_role;
grant select, insert, update, delete on public.knowledge_entries to service_role;
grant select on
  public.agent_calls, public.agent_turn_latency, public.agent_handoffs, public.agent_provider_health, public.agent_cost_by_day,
  public.agent_unanswered_questions
  to service_role;
grant execute on function
  public.agent_barred, public.open_agent_session, public.record_agent_turns, public.end_agent_sessions, public.answer_question,
  public.agent_hours, public.erase_agent_words, public.redact_agent_turns, public.agent_served, public.transfer_summary,
  public.keep_agent_evaluation
  to service_role;
-- For alerts.
create policy agent_sessions_for_monitoring on public.agent_sessions for select to monitoring using (true);
create policy agent_providers_for_monitoring on public.agent_providers for select to monitoring using (true);
grant select (call_sid, outcome, ended_at) on public.agent_sessions to monitoring;
grant select (provider, rests_until) on public.agent_providers to monitoring;
