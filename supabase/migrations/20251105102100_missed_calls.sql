-- Those who want no calls and no texts, and what a caller whom nobody answered is sent.

-- One list for every way of saying stop. Null org_id: the main account.
create table public.suppressions (
  id bigint generated always as identity primary key,
  org_id uuid,
  -- Null: erased. The hash still says whom not to call.
  e164 public.e164,
  number_hash bytea not null,
  -- How it was said, as `sms` or `operator`.
  source text not null constraint suppressions_source_form check (source ~ '^[a-z][a-z0-9_]{0,31}$'),
  created_at timestamptz not null default now(),
  constraint suppressions_key unique nulls not distinct (org_id, number_hash)
);

comment on table public.suppressions is 'Numbers that an owner neither texts nor calls on its own account: one list for every way of saying stop.';

create index suppressions_number_idx on public.suppressions (number_hash);

-- SECURITY DEFINER because an admin who adds a number may not read the key.
create function private.hash_suppression() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform public.make_number_key();
  -- Of somebody who was erased there is the hash alone.
  new.number_hash := case when new.e164 is null then new.number_hash else public.number_hash(new.e164) end;
  return new;
end
$$;

create trigger suppressions_hashed before insert on public.suppressions
  for each row execute function private.hash_suppression();

alter table public.suppressions enable row level security;
create policy suppressions_of_own_org on public.suppressions
  for select to authenticated using (coalesce(org_id, '00000000-0000-0000-0000-000000000000') = (select public.current_owner()));
create policy suppressions_by_admins_added on public.suppressions
  for insert to authenticated
  with check (coalesce(org_id, '00000000-0000-0000-0000-000000000000') = (select public.current_owner()) and (select public.my_role()) >= 'admin');
create policy suppressions_of_the_service on public.suppressions to service_role using (true) with check (true);

-- Puts a number on the list of the account whose line was told so; again: nothing.
create function public.suppress(p_account_sid text, p_e164 text, p_source text) returns void
language sql volatile set search_path = ''
begin atomic
  insert into public.suppressions (org_id, e164, source)
  values (public.organisation_of(p_account_sid), p_e164, p_source)
  on conflict do nothing;
end;

-- Enqueues what the flow of a call that has ended promises a caller whom nobody answered: a text, at most one a number and
-- day and 200 a line and day, and a mail to the operator. Both look at the call again when they are sent: a message that comes late ends them.
create function public.owe_missed_call(c public.call_logs) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_missed jsonb;
  v_key text;
begin
  if c.connected_at is not null or c.agent_served or c.recording_source = 'voicemail' or c.rate_limited or c.party is null or c.direction <> 'inbound'
    -- A late answer is worse than none.
    or c.ended_at < now() - interval '1 hour'
  then
    return;
  end if;
  select v.missed_call into v_missed from public.call_flow_versions as v where v.id = c.flow_version;
  -- The day is that of the flow's zone.
  select encode(sha256(convert_to(
    format('%s %s %s', c.org_id, c.party, (now() at time zone (v.definition ->> 'zone'))::date), 'UTF8'
  )), 'hex') into v_key
  from public.call_flow_versions as v where v.id = c.flow_version and v_missed ? 'sms';
  if v_missed ? 'sms' and public.came_callable(c)
    and not exists (select from public.jobs as j where j.kind = 'missed_call_sms' and j.key = v_key)
    -- Calls from forged numbers cost a text each.
    and public.take_rate_limit('missed_call_sms', 'called', c.line, 200, '1 day')
  then
    perform public.enqueue_job(
      'missed_call_sms', v_key, jsonb_build_object('call_sid', c.call_sid), now() + interval '1 minute'
    );
  end if;
  if (v_missed ->> 'mail')::boolean then
    perform public.enqueue_job(
      'mail_missed_call', 'missed/' || c.call_sid, jsonb_build_object('call_sid', c.call_sid), now() + interval '1 minute'
    );
  end if;
end
$$;

-- Whether nobody has answered a call, and nothing else is promised to its caller.
create function public.was_missed(c public.call_logs) returns boolean
language sql stable set search_path = ''
return c.disposition = 'abandoned'
  and not exists (select from public.callbacks as k where k.call_sid = c.call_sid)
  -- The caller has called again, and is being served or was.
  and not exists (
    select from public.call_logs as o
    where o.party = c.party and o.org_id is not distinct from c.org_id and o.started_at > c.started_at
      and (o.disposition is null or o.disposition in ('connected', 'voicemail'))
  );

-- The text to a caller whom nobody answered: {to, from, account_sid, text}, in the language that was chosen last; null: none is
-- to be sent.
create function public.missed_call_text(p_call_sid text) returns jsonb
language sql stable set search_path = ''
begin atomic
  select jsonb_build_object('to', c.party, 'from', c.line, 'account_sid', s.subaccount_sid, 'text', t.text)
  from public.call_logs as c
  join public.call_flow_versions as v on v.id = c.flow_version
  left join public.telephony_subaccounts as s on s.org_id = c.org_id
  cross join lateral (
    select coalesce((
      select v.steps -> 'nodes' -> (e.value ->> 'node') ->> 'language'
      from public.call_lifecycle as l cross join lateral jsonb_array_elements(l.path) with ordinality as e
      where l.call_sid = c.call_sid and (e.value ->> 'version')::bigint = v.id
        and v.steps -> 'nodes' -> (e.value ->> 'node') ->> 'type' = 'language'
      order by l.occurred_at desc, l.id desc, e.ordinality desc limit 1
    ), v.definition #>> '{languages,0}') as language, v.missed_call ->> 'sms' as name
  ) as n
  cross join lateral (
    select coalesce(
      v.definition -> 'prompts' -> n.name ->> n.language, v.definition -> 'prompts' -> n.name ->> (v.definition #>> '{languages,0}'),
      case when not v.definition -> 'prompts' ? n.name then n.name end
    ) as text
  ) as t
  where c.call_sid = p_call_sid and public.was_missed(c) and t.text is not null
    and public.own_lines(array[c.party::text]) = '[]'
    and not exists (
      select from public.suppressions as x where x.number_hash = public.number_hash(c.party) and x.org_id is not distinct from c.org_id
    );
end;

-- The mail about a call that nobody answered, with the caller's last ten calls; null: none is to be sent.
create function public.missed_call_mail(p_call_sid text) returns jsonb
language sql stable set search_path = ''
begin atomic
  select jsonb_build_object(
    'call_sid', c.call_sid, 'from_e164', c.from_e164, 'to_e164', c.to_e164, 'started_at', c.started_at,
    'duration_sec', c.duration_sec, 'mode', c.mode, 'hung_up_at', c.last_step,
    'history', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'call_sid', o.call_sid, 'started_at', o.started_at, 'direction', o.direction, 'disposition', o.disposition,
        'duration_sec', o.duration_sec, 'mode', o.mode
      ) order by o.started_at desc), '[]')
      from (
        select * from public.call_logs as o
        where o.party = c.party and o.org_id is not distinct from c.org_id and o.call_sid <> c.call_sid
        order by o.started_at desc limit 10
      ) as o
    )
  )
  from public.call_logs as c
  where c.call_sid = p_call_sid and public.was_missed(c);
end;

create view public.missed_calls with (security_invoker = true) as
select
  c.org_id, c.call_sid, c.party as from_e164, c.line, c.mode, c.started_at, q.group_name, q.waited_sec, c.last_step,
  not public.was_missed(c) as settled, t.state as text, m.state as mail
from public.call_logs as c
left join lateral (
  select (array_agg(e.group_name order by e.id desc))[1] as group_name, sum(extract(epoch from e.left_at - e.queued_at))::integer as waited_sec
  from public.queue_entries as e where e.call_sid = c.call_sid
) as q on true
left join lateral (
  select case when j.status = 'done' then case when j.result is null then 'not needed' else 'sent' end else j.status end as state
  from public.jobs as j where j.payload ->> 'call_sid' = c.call_sid and j.kind = 'missed_call_sms'
) as t on true
left join lateral (
  select case when j.status = 'done' then case when j.result is null then 'not needed' else 'sent' end else j.status end as state
  from public.jobs as j where j.payload ->> 'call_sid' = c.call_sid and j.kind = 'mail_missed_call'
) as m on true
where c.disposition = 'abandoned' and c.direction = 'inbound' and c.started_at > now() - interval '7 days'
order by c.started_at desc;

comment on view public.missed_calls is 'Callers of the last 7 days who reached nobody and left no message: how long they held, whether that is settled by a promise to call back or a later call, and whether a text and a mail were sent (dead: given up, see jobs_dead).';

grant select on public.missed_calls to service_role;
grant select, insert (org_id, e164, source) on public.suppressions to authenticated;
grant select, insert, delete on public.suppressions to service_role;
grant execute on function
  public.suppress, public.owe_missed_call, public.was_missed, public.missed_call_text, public.missed_call_mail
  to service_role;
