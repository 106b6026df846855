-- How campaigns are dialled: import of their lists, dials reserved at exact times, what became of each, live figures.

-- Creates a campaign; p_campaign: its columns by name, caller_numbers, and dials_per_line?, those of each a day. Returns its id. Raises PT400 with the field at fault
-- where a number or the flow is not the owner's.
create function public.create_campaign(p_campaign jsonb) returns uuid
language plpgsql volatile set search_path = ''
as $$
declare
  c public.campaigns := jsonb_populate_record(null::public.campaigns, p_campaign);
  v_lines constant text[] := array(select jsonb_array_elements_text(p_campaign -> 'caller_numbers'));
begin
  if public.has_foreign_line(c.org_id, v_lines) then
    raise sqlstate 'PT400' using message = 'must be numbers of the owner of this campaign', detail = 'caller_numbers';
  elsif public.current_version(c.org_id, c.flow) is null then
    raise sqlstate 'PT400' using message = format('must be published by the owner of this campaign: there is no flow "%s"', c.flow), detail = 'flow';
  elsif c.other_flow is not null and public.current_version(c.org_id, c.other_flow) is null then
    raise sqlstate 'PT400' using
      message = format('must be published by the owner of this campaign: there is no flow "%s"', c.other_flow), detail = 'flows';
  elsif c.consent = 'existing_business' and exists (
    select from public.call_flow_versions as v
    where v.id in (public.current_version(c.org_id, c.flow), public.current_version(c.org_id, c.other_flow)) and v.agents
  ) then
    -- FCC 24-17: the voice of an AI agent is an artificial one.
    raise sqlstate 'PT400' using message = 'must be express_written where an AI agent talks', detail = 'consent';
  end if;
  insert into public.campaigns (
    org_id, name, mode, flow, other_flow, other_share, calls_per_second, max_concurrent, window_hours, attempts, machine, consent, ring_seconds, max_minutes,
    starts_at, caller_name, changed_by
  ) values (
    c.org_id, c.name, c.mode, c.flow, c.other_flow, c.other_share, c.calls_per_second, c.max_concurrent, c.window_hours, c.attempts, c.machine, c.consent,
    coalesce(c.ring_seconds, 25), c.max_minutes, c.starts_at, c.caller_name, c.changed_by
  ) returning * into c;
  insert into public.campaign_lines (campaign_id, line, per_day)
  select distinct c.id, l, coalesce((p_campaign ->> 'dials_per_line')::integer, 500) from unnest(v_lines) as l;
  return c.id;
end
$$;

-- Adds contacts to a campaign; p_contacts: [{phone, rules, region, zones, name?, postal_code?, consent_at?, consent_source?}],
-- each number once. Again: nothing. Returns {added, duplicates, suppressed, lines}: lines, those that are lines themselves, which
-- are not taken. Raises PT404 for no such campaign, PT409 for one
-- that has ended.
create function public.import_campaign_contacts(p_campaign_id uuid, p_contacts jsonb) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  c public.campaigns;
  v_key constant bytea := public.number_key();
  v_lines jsonb;
  v_answer jsonb;
begin
  select * into c from public.campaigns as t where t.id = p_campaign_id for key share;
  if c.id is null then
    raise sqlstate 'PT404' using message = 'there is no such campaign';
  elsif c.state in ('stopping', 'done') then
    raise sqlstate 'PT409' using message = 'the campaign has ended';
  end if;
  v_lines := public.own_lines(array(select g ->> 'phone' from jsonb_array_elements(p_contacts) as g));
  insert into public.campaign_areas (campaign_id, rules, region, zones)
  select distinct c.id, g.rules, g.region, g.zones
  from jsonb_to_recordset(p_contacts) as g(rules text, region text, zones text[])
  order by 2, 3, 4
  on conflict on constraint campaign_areas_key do nothing;
  with given as materialized (
    select g.* from jsonb_to_recordset(p_contacts) as g(
      phone text, rules text, region text, zones text[], name text, postal_code text, consent_at timestamptz, consent_source text
    )
  ),
  added as (
    insert into public.campaign_contacts (
      campaign_id, owner, area_id, e164, name, postal_code, consent_at, consent_source, other, state, due_at
    )
    select
      c.id, c.owner, a.id, g.phone, g.name, g.postal_code, g.consent_at, g.consent_source,
      coalesce((hashtextextended(g.phone, hashtextextended(c.id::text, 0)) & 2147483647) % 100 < c.other_share, false),
      case when s.id is null then 'waiting' else 'suppressed' end, case when s.id is null then now() end
    from given as g
    join public.campaign_areas as a on a.campaign_id = c.id and (a.rules, a.region, a.zones) = (g.rules, g.region, g.zones)
    left join public.suppressions as s on s.number_hash = sha256(v_key || convert_to(g.phone, 'UTF8')) and s.org_id is not distinct from c.org_id
    where not v_lines ? g.phone
    -- One order, so that two slices with the same numbers do not deadlock.
    order by g.phone
    on conflict on constraint campaign_contacts_key do nothing
    returning state
  )
  select jsonb_build_object(
    'added', count(*) filter (where a.state = 'waiting'), 'suppressed', count(*) filter (where a.state = 'suppressed'),
    'duplicates', jsonb_array_length(p_contacts) - jsonb_array_length(v_lines) - count(*), 'lines', v_lines
  ) into v_answer
  from added as a;
  return v_answer;
end
$$;

-- Takes the openings that TypeScript has worked out: [{area, opens_at, closes_at}]; null times: not within the days looked at.
create function public.set_campaign_openings(p_campaign_id uuid, p_openings jsonb) returns void
language sql volatile set search_path = ''
begin atomic
  update public.campaign_areas as a set opens_at = g.opens_at, closes_at = g.closes_at
  from jsonb_to_recordset(p_openings) as g(area bigint, opens_at timestamptz, closes_at timestamptz)
  where a.id = g.area and a.campaign_id = p_campaign_id;
end;

-- The campaigns that dial and whose flow is published, and allowed by their consent, the longest running first.
create function public.running_campaigns() returns jsonb
language sql stable set search_path = ''
begin atomic
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', c.id, 'account_sid', s.subaccount_sid, 'org_id', c.org_id, 'mode', c.mode, 'machine', c.machine,
    'calls_per_second', c.calls_per_second, 'window', c.window_hours, 'flow', v.hash,
    'language', v.definition #>> '{languages,0}',
    'who', coalesce(c.caller_name, v.definition ->> 'business', s.business_name, c.name),
    'other', case when o.hash is not null then jsonb_build_object(
      'flow', o.hash, 'language', o.definition #>> '{languages,0}',
      'who', coalesce(c.caller_name, o.definition ->> 'business', s.business_name, c.name)
    ) end
  ) order by c.started_at, c.id), '[]')
  from public.campaigns as c
  join public.call_flows as f on f.name = c.flow and f.org_id is not distinct from c.org_id
  join public.call_flow_pointers as p on p.flow_id = f.id
  join public.call_flow_versions as v on v.flow_id = p.flow_id and v.version = p.version
  left join (
    public.call_flows as nf
    join public.call_flow_pointers as np on np.flow_id = nf.id
    join public.call_flow_versions as o on o.flow_id = np.flow_id and o.version = np.version
  ) on nf.name = c.other_flow and nf.org_id is not distinct from c.org_id
  left join public.telephony_subaccounts as s on s.org_id = c.org_id
  where c.state = 'running' and (c.other_flow is null or o.hash is not null) and coalesce(c.starts_at <= now(), true)
    -- As create_campaign says; the version may be a later one.
    and (c.consent <> 'existing_business' or not (v.agents or coalesce(o.agents, false)));
end;

-- How a campaign stands whose calls go to people, as Floor of _shared/campaigns/pacing.ts: the people of its flow's groups, its
-- lines, and what was measured in the last 10 minutes. p_since, p_until: their slots.
create function public.campaign_floor(c public.campaigns, p_since bigint, p_until bigint) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
  v_members text[];
  v_free integer;
  v_busy integer;
  v_lately record;
begin
  select array_agg(distinct m) into v_members
  from public.call_flows as f
  join public.call_flow_pointers as p on p.flow_id = f.id
  join public.call_flow_versions as v on v.flow_id = p.flow_id and v.version = p.version
  cross join lateral jsonb_path_query(v.steps, '$.groups.*.members[*]') as g(member)
  cross join lateral (select g.member #>> '{}' as m) as t
  where f.name in (c.flow, c.other_flow) and f.org_id is not distinct from c.org_id;
  select count(*) into v_free from public.free_members(c.org_id, '', coalesce(v_members, '{}'));
  select count(*) into v_busy from public.dial_attempts as a
  where a.owner = c.owner and a.ended_at is null and a.purpose in ('person', 'callback_person')
    and (a.to_e164 = any (v_members) or exists (select from public.people as p where p.id = a.person_id and p.handle = any (v_members)));
  select
    (
      select count(*) from public.dial_attempts as o where o.campaign_id = c.id and o.ended_at is null and o.answered_at is null
    ) as ringing,
    count(*) filter (where a.answered_at is not null and a.result is distinct from 'machine') as answered,
    count(*) filter (where a.answered_at is not null or a.ended_at is not null) as known,
    avg(extract(epoch from coalesce(a.answered_at, a.ended_at) - a.dialled_at)) as ring_sec,
    avg(extract(epoch from a.ended_at - a.answered_at)) filter (where a.result = 'accepted') as talk_sec
  into v_lately
  from public.dial_attempts as a where a.owner = c.owner and a.slot between p_since and p_until and a.campaign_id = c.id;
  return jsonb_build_object(
    'free', v_free, 'busy', v_busy, 'ringing', v_lately.ringing,
    -- Before so many dials a rate says nothing.
    'answerRate', case when v_lately.known >= 20 then round(v_lately.answered::numeric / v_lately.known, 4) else 0 end,
    'ringSec', round(coalesce(v_lately.ring_sec, 15), 1), 'talkSec', round(coalesce(v_lately.talk_sec, 90), 1)
  ) || (
    select jsonb_build_object(
      'answered', coalesce(sum(f.change), 0),
      'abandoned', coalesce(sum(f.change) filter (where f.figure = 'abandoned'), 0)
    )
    from public.campaign_changes as f where f.campaign_id = c.id and f.figure in ('answered', 'abandoned')
  );
end
$$;

-- Reserves dials of a campaign: at most p_most, each at its own slot of the account's time within p_horizon, which no other dial
-- of the account has. Returns {state, dials: [{token, to, line, seconds, send_in_ms, own?, other?}], stale: [{area, rules, region,
-- zones}], full, floor?}: own, the number is a line of ours; other, the contact gets the other flow; stale, the areas whose opening is over, to be worked out again;
-- full, no more lines may ring now; floor, of a campaign whose calls go to people, of which p_most bounds the lines that ring. To
-- be told as begin_campaign_dials before each is sent. A campaign that mostly fails is paused.
create function public.reserve_campaign_dials(p_campaign_id uuid, p_most integer, p_horizon interval default '10 seconds')
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  c public.campaigns;
  r public.dial_rates;
  v_key constant bytea := public.number_key();
  v_now timestamptz;
  -- A slot is a little longer than the rate asks for, as requests do not arrive at even distances.
  v_slot_sec numeric;
  v_open integer;
  v_minutes integer;
  v_most integer;
  v_mine bigint[];
  v_first bigint;
  v_last bigint;
  v_slot bigint;
  v_slots bigint[] := '{}';
  v_per_second integer;
  v_apart numeric;
  v_lines text[];
  v_dials jsonb;
  v_stale jsonb;
  v_floor jsonb;
  v_lately record;
begin
  select * into c from public.campaigns as t where t.id = p_campaign_id;
  if c.state is distinct from 'running' then
    return jsonb_build_object('state', c.state, 'dials', jsonb '[]', 'stale', jsonb '[]');
  end if;
  if c.max_minutes is not null then
    select coalesce(sum(f.change), 0) into v_minutes from public.campaign_changes as f
    where f.campaign_id = c.id and f.figure = 'minutes';
    if v_minutes >= c.max_minutes then
      return jsonb_build_object(
        'state', public.command_campaign(c.id, 'pause', 'budget'), 'dials', jsonb '[]', 'stale', jsonb '[]'
      );
    end if;
  end if;
  select jsonb_agg(jsonb_build_object('area', s.id, 'rules', s.rules, 'region', s.region, 'zones', s.zones)) into v_stale
  from (
    select * from public.campaign_areas as a
    where a.campaign_id = c.id and coalesce(a.closes_at <= now() + interval '1 minute', true)
      and exists (select from public.campaign_contacts as k where k.area_id = a.id and k.due_at is not null)
    -- A list may name thousands of zones, and a function has two seconds of processor time. Any, as some have no opening.
    order by random() limit 100
  ) as s;

  select * into r from public.dial_rates as t where t.owner = c.owner for update;
  v_now := clock_timestamp();
  if c.starts_at > v_now then
    return jsonb_build_object('state', c.state, 'dials', jsonb '[]', 'stale', coalesce(v_stale, '[]'));
  end if;
  v_slot_sec := 1.04 / r.per_second;
  select count(*) into v_open from public.dial_attempts as a where a.campaign_id = c.id and a.ended_at is null;
  -- Slots are time: the index finds what was dialled lately. Those of another rate have other numbers, higher ones of a faster.
  v_last := (extract(epoch from v_now + greatest(p_horizon, interval '1 minute')) / v_slot_sec)::bigint;
  select count(*) as dials, count(*) filter (
    where a.result = 'unreachable' or (a.state = 'unknown' and a.ended_at is null and a.dialled_at < v_now - interval '15 seconds')
  ) as failed into v_lately
  from public.dial_attempts as a
  where a.owner = c.owner and a.slot between (extract(epoch from v_now - interval '2 minutes') / v_slot_sec)::bigint and v_last
    and a.campaign_id = c.id and a.dialled_at > c.running_since;
  if v_lately.dials >= 20 and v_lately.failed * 2 >= v_lately.dials then
    perform public.command_campaign(c.id, 'pause', 'failures');
    return jsonb_build_object('state', 'paused', 'dials', jsonb '[]', 'stale', jsonb '[]', 'full', false);
  end if;
  if c.mode in ('progressive', 'predictive') then
    v_floor := public.campaign_floor(c, (extract(epoch from v_now - interval '10 minutes') / v_slot_sec)::bigint, v_last);
  end if;
  v_most := least(
    case
      when v_floor is not null then p_most - (v_floor ->> 'ringing')::integer
      when c.mode = 'preview' then least(p_most, c.asked_for)
      else p_most
    end,
    -- Each call that goes on takes a minute or more of the budget.
    c.max_concurrent - v_open, c.max_minutes - v_minutes - v_open,
    -- One number may have to show for all of them.
    (
      select coalesce(max(l.per_day - case when l.day = current_date then l.dialled else 0 end), 0)
      from public.campaign_lines as l where l.campaign_id = c.id and coalesce(l.rests_until <= now(), true)
    )
  );
  v_first := ceil(extract(epoch from greatest(v_now + interval '50 milliseconds', r.not_before)) / v_slot_sec);

  -- The campaign's own rate: so many in any second, or one in so many seconds.
  v_per_second := greatest(1, floor(c.calls_per_second));
  v_apart := greatest(1, 1 / c.calls_per_second) / v_slot_sec;
  v_mine := array(
    select a.slot from public.dial_attempts as a
    where a.owner = c.owner and a.campaign_id = c.id and a.slot > v_first - ceil(v_apart) and a.slot <= v_last order by a.slot
  );
  if v_most > 0 then
    for v_slot in
      select s from generate_series(
        greatest(v_first, v_mine[cardinality(v_mine)] + 1),
        floor(extract(epoch from v_now + p_horizon) / v_slot_sec)::bigint
      ) as s
      where not exists (select from public.dial_attempts as a where a.owner = c.owner and a.slot = s)
        and (s % 2 = 0 or r.slow_until <= to_timestamp(s * v_slot_sec))
      order by s
    loop
      if cardinality(v_mine) < v_per_second or v_slot - v_mine[cardinality(v_mine) - v_per_second + 1] >= v_apart then
        v_slots := v_slots || v_slot;
        v_mine := v_mine || v_slot;
        exit when cardinality(v_slots) >= v_most;
      end if;
    end loop;
  end if;
  v_most := cardinality(v_slots);
  -- In order, as dials that are given back are counted.
  perform from public.campaign_lines as l where l.campaign_id = c.id order by l.line for update;
  v_lines := array(
    select l.line from public.campaign_lines as l
    where l.campaign_id = c.id and coalesce(l.rests_until <= now(), true)
      and case when l.day = current_date then l.dialled else 0 end + greatest(1, v_most) <= l.per_day
    order by l.dialled, l.line
  );
  if v_most = 0 or cardinality(v_lines) = 0 then
    return jsonb_strip_nulls(jsonb_build_object(
      'state', c.state, 'dials', jsonb '[]', 'stale', coalesce(v_stale, '[]'), 'full', cardinality(v_lines) > 0 and c.mode <> 'preview',
      'floor', v_floor
    ));
  end if;

  with open as materialized (
    select a.id from public.campaign_areas as a
    -- Twilio may let a call wait. Where it does not ring after two minutes, a job ends it: see mend_dialling.
    where a.campaign_id = c.id and a.opens_at <= now() and a.closes_at > v_now + p_horizon + interval '5 minutes'
    order by a.closes_at
  ),
  picked as materialized (
    select k.* from open as a cross join lateral (
      select k.id, k.e164, k.other from public.campaign_contacts as k
      where k.area_id = a.id and k.due_at <= now()
      order by k.due_at, k.id limit v_most for update skip locked
    ) as k
    limit v_most
  ),
  looked_at as materialized (
    select
      p.*,
      public.wants_no_calls(c.owner, p.e164, v_key) as stopped,
      capped.until
    from picked as p
    cross join lateral (
      -- Over all campaigns of the owner.
      select greatest(
        d.at[(c.attempts ->> 'per_day')::integer] + interval '1 day', d.at[(c.attempts ->> 'per_week')::integer] + interval '7 days',
        -- Ofcom: 72 hours, whichever campaign found nobody free.
        d.abandoned_at + interval '72 hours'
      ) as until
      from (
        select
          array_agg(a.dialled_at order by a.dialled_at desc) as at,
          max(a.dialled_at) filter (where a.result = 'abandoned') as abandoned_at
        from public.dial_attempts as a
        where a.owner = c.owner and a.to_e164 = p.e164 and a.purpose = 'campaign' and a.dialled_at > now() - interval '7 days'
      ) as d
    ) as capped
  ),
  turns as (
    select l.id, l.e164, row_number() over (order by l.id)::integer as turn
    from looked_at as l where not l.stopped and coalesce(l.until <= now(), true)
  ),
  made as (
    insert into public.dial_attempts (purpose, org_id, campaign_id, contact_id, to_e164, line, seconds, slot, send_at)
    select
      'campaign', c.org_id, c.id, t.id, t.e164,
      -- A number of the called area code, where there is one.
      case when cardinality(near.lines) > 0 then near.lines[1 + t.turn % cardinality(near.lines)]
        else v_lines[1 + t.turn % cardinality(v_lines)] end,
      c.ring_seconds, v_slots[t.turn], to_timestamp(v_slots[t.turn] * v_slot_sec)
    from turns as t
    cross join lateral (
      select array(select l from unnest(v_lines) as l where left(l, 5) = left(t.e164, 5) and l like '+1%') as lines
    ) as near
    on conflict do nothing
    returning contact_id, token, to_e164, line, seconds, send_at
  ),
  kept as (
    update public.campaign_contacts as k set
      state = case when l.stopped then 'suppressed' else k.state end,
      due_at = case
        when l.stopped or m.token is not null then null
        when l.until > now() then l.until
        -- The telephone rings for another call.
        else now() + interval '5 minutes'
      end
    from looked_at as l left join made as m on m.contact_id = l.id
    where k.id = l.id
  ),
  counted as (
    update public.campaign_lines as l set
      dialled = case when l.day = current_date then l.dialled else 0 end + m.dials, day = current_date
    from (select m.line, count(*) as dials from made as m group by 1) as m
    where l.campaign_id = c.id and l.line = m.line
  )
  select jsonb_agg(
    jsonb_build_object(
      'token', m.token, 'to', m.to_e164, 'line', m.line, 'seconds', m.seconds,
      'send_in_ms', ceil(extract(epoch from m.send_at - v_now) * 1000)
    ) || case when own.lines ? m.to_e164 then jsonb '{"own": true}' else '{}' end
      || case when l.other then jsonb '{"other": true}' else '{}' end order by m.send_at
  ) into v_dials
  from made as m join looked_at as l on l.id = m.contact_id cross join (select public.own_lines(array(select o.to_e164::text from made as o)) as lines) as own;
  if c.mode = 'preview' then
    update public.campaigns as t set asked_for = greatest(0, t.asked_for - jsonb_array_length(v_dials)) where t.id = c.id;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'state', c.state, 'dials', coalesce(v_dials, '[]'), 'stale', coalesce(v_stale, '[]'), 'full', false, 'floor', v_floor
  ));
end
$$;

-- Told just before the dials are sent, together with what became of those before: p_settled [{token, state, leg_sid?}], state
-- `created` or `refused` as in dial_told; `not_made`, where it was not sent; `busy`, where Twilio has refused it for want of time:
-- then its account rests for 5 seconds, and dials half as fast for a minute. Returns the tokens that may be sent, each once: not of a campaign that is paused, to a
-- number that has said stop, or after its time.
create function public.begin_campaign_dials(p_tokens uuid[], p_settled jsonb default '[]') returns uuid[]
language plpgsql volatile set search_path = ''
as $$
declare
  v_key constant bytea := public.number_key();
  v_begun public.dial_attempts[];
  v_left bigint;
  v_not_made bigint[] := '{}';
begin
  perform public.dial_told((s ->> 'token')::uuid, s ->> 'state', s ->> 'leg_sid')
  from jsonb_array_elements(p_settled) as s where s ->> 'state' in ('created', 'refused');
  for v_left in
    update public.dial_attempts as t set state = 'intended', dialled_at = null
    from jsonb_array_elements(p_settled) as s
    where t.token = (s ->> 'token')::uuid and s ->> 'state' in ('not_made', 'busy')
      and t.purpose = 'campaign' and t.state in ('intended', 'unknown') and t.ended_at is null
    returning t.id
  loop
    perform public.end_campaign_attempt(v_left, 'canceled');
    v_not_made := v_not_made || v_left;
  end loop;
  if p_settled @> '[{"state": "busy"}]' then
    update public.dial_rates as r set
      not_before = clock_timestamp() + interval '5 seconds', slow_until = clock_timestamp() + interval '65 seconds'
    from public.dial_attempts as a, jsonb_array_elements(p_settled) as s
    where a.token = (s ->> 'token')::uuid and s ->> 'state' = 'busy' and r.owner = a.owner
      and r.not_before < clock_timestamp() + interval '4 seconds';
  end if;
  with allowed as (
    update public.dial_attempts as t set state = 'unknown', dialled_at = clock_timestamp()
    from public.campaigns as c
    where t.token = any (p_tokens) and c.id = t.campaign_id and c.state = 'running'
      and t.state = 'intended' and t.ended_at is null and t.cancelled_at is null
      -- A slot that was missed is lost: late dials would meet others.
      and t.send_at > clock_timestamp() - interval '500 milliseconds'
      and not public.wants_no_calls(t.owner, t.to_e164, v_key)
    returning t
  )
  select array_agg(a.t) into v_begun from allowed as a;
  update public.campaign_contacts as k set state = 'unknown', tries = k.tries + 1
  from unnest(v_begun) as a where k.id = a.contact_id;
  for v_left in
    select a.id from public.dial_attempts as a
    where a.token = any (p_tokens) and a.state = 'intended' and a.ended_at is null order by a.id
  loop
    perform public.end_attempt(v_left, 'canceled');
    v_not_made := v_not_made || v_left;
  end loop;
  if cardinality(v_not_made) > 0 then
    -- They were counted when they were reserved. In order, as another run may do the same.
    perform from public.campaign_lines as l
    where (l.campaign_id, l.line) in (select a.campaign_id, a.line from public.dial_attempts as a where a.id = any (v_not_made))
    order by l.campaign_id, l.line for update;
    update public.campaign_lines as l set dialled = greatest(0, l.dialled - a.dials)
    from (
      select t.campaign_id, t.line, count(*) as dials from public.dial_attempts as t where t.id = any (v_not_made) group by 1, 2
    ) as a
    where (l.campaign_id, l.line) = (a.campaign_id, a.line) and l.day = current_date;
  end if;
  return coalesce((select array_agg(a.token order by a.send_at) from unnest(v_begun) as a), '{}');
end
$$;

-- What a leg of a campaign tells: p_status in Twilio's word, and p_told: `human`, `machine`, `abandoned`. Again: nothing. Returns
-- {purpose, won, over, machine?}: over, when the leg is to be ended; machine, what the machine gets that has answered. Somebody who
-- has pressed a key, or talks with one of the owner's people, is none.
create function public.campaign_leg_told(p_token uuid, p_leg_sid text, p_status text, p_told text) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  a public.dial_attempts;
  v_machine text;
begin
  select * into a from public.dial_attempts as t where t.token = p_token for update;
  if a.leg_sid <> p_leg_sid or a.state = 'refused' then
    return jsonb_build_object('purpose', a.purpose, 'won', false, 'over', true);
  end if;
  if p_told = 'machine' and exists (
    select from public.call_logs as c
    where c.call_sid = p_leg_sid and (c.connected_at is not null or c.last_step in ('consent', 'menu', 'key_pressed', 'voicemail_recorded'))
  ) then
    p_told := 'human';
  end if;
  update public.dial_attempts as t set
    leg_sid = p_leg_sid, state = 'created', dialled_at = coalesce(t.dialled_at, now()),
    answered_at = case when p_status = 'in-progress' then coalesce(t.answered_at, now()) else t.answered_at end,
    result = case when p_told in ('machine', 'abandoned') and t.ended_at is null then p_told else t.result end
  where t.id = a.id returning * into a;
  -- Twilio makes fewer calls a second than the account was said to, and lets the others wait, past anybody's hours: those first.
  if p_status = 'initiated' and a.answered_at is null and a.ended_at is null and a.dialled_at < clock_timestamp() - interval '15 seconds' then
    update public.dial_rates as r set not_before = clock_timestamp() + interval '15 seconds'
    where r.owner = a.owner and r.not_before < clock_timestamp() + interval '14 seconds';
  end if;
  if a.ended_at is null then
    perform public.contact_stands(a);
    if p_status in ('completed', 'busy', 'no-answer', 'canceled', 'failed') then
      perform public.end_attempt(a.id, p_status);
    end if;
  end if;
  if p_told = 'machine' and a.ended_at is null then
    select c.machine into v_machine from public.campaigns as c where c.id = a.campaign_id;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'purpose', a.purpose, 'won', false, 'over', a.cancelled_at is not null or a.ended_at is not null, 'machine', v_machine
  ));
end
$$;

-- Lets a contact stand as its open attempt does.
create function public.contact_stands(a public.dial_attempts) returns void
language sql volatile set search_path = ''
begin atomic
  update public.campaign_contacts as k set
    -- A webhook may come before the answer to the request, which may never come.
    tries = greatest(k.tries, cardinality(k.ends) + 1), due_at = null,
    state = case when a.result in ('machine', 'abandoned') then a.result when a.answered_at is null then 'ringing' else 'answered' end
  where k.id = a.contact_id and k.state not in ('opted_out', 'suppressed');
end;

-- Ends an attempt of a campaign, keeps the record, and lets its contact wait for the next dial where the rules have one.
-- p_status: as Twilio's, or `refused`; an attempt that was not dialled leaves its contact as it was.
create function public.end_campaign_attempt(p_id bigint, p_status text) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  a public.dial_attempts;
  c public.campaigns;
  k public.campaign_contacts;
  v_end text;
  v_rule jsonb;
  v_again boolean;
begin
  update public.dial_attempts as t set
    ended_at = clock_timestamp(),
    result = coalesce(t.result, case
      when t.dialled_at is null then 'canceled'
      when t.answered_at is not null or p_status = 'completed' then 'accepted'
      when p_status in ('busy', 'canceled') then p_status
      when p_status = 'no-answer' then 'no_answer'
      else 'unreachable'
    end)
  where t.id = p_id and t.ended_at is null returning * into a;
  if a.id is null then
    return;
  end if;
  select * into c from public.campaigns as t where t.id = a.campaign_id;
  select * into k from public.campaign_contacts as t where t.id = a.contact_id for update;
  if a.dialled_at is null then
    -- Refused by Twilio for now, or never sent: the same dial is still to be made. Refused by our own rules: never.
    update public.campaign_contacts as t set
      state = case p_status when 'refused' then 'failed' else 'waiting' end,
      due_at = case when p_status <> 'refused' then now() end, tries = cardinality(t.ends)
    where t.id = k.id and t.state in ('waiting', 'unknown');
    return;
  end if;
  -- A person who was to talk to one of the owner's people, and did not.
  if a.result = 'accepted' and c.mode in ('progressive', 'predictive')
    and exists (select from public.queue_entries as q where q.call_sid = a.leg_sid)
    and not exists (select from public.queue_entries as q where q.call_sid = a.leg_sid and q.connected_at is not null)
  then
    update public.dial_attempts as t set result = 'abandoned' where t.id = a.id returning * into a;
  end if;
  v_end := case a.result when 'accepted' then 'answered' when 'unreachable' then 'failed' when 'canceled' then 'no_answer' else a.result end;
  perform public.make_number_key();
  insert into public.campaign_dials (
    campaign_id, owner, number_hash, line, rules, region, zones, consent, consent_at, dialled_at, answered_at, connected_at,
    ended_at, result
  )
  select
    c.id, a.owner, public.number_hash(a.to_e164), a.line, r.rules, r.region, r.zones, c.consent, k.consent_at, a.dialled_at,
    a.answered_at, least(
      (select l.connected_at from public.call_logs as l where l.call_sid = a.leg_sid),
      (select min(q.connected_at) from public.queue_entries as q where q.call_sid = a.leg_sid)
    ), a.ended_at, v_end
  from public.campaign_areas as r where r.id = k.area_id;
  if a.answered_at is not null then
    insert into public.campaign_changes (campaign_id, other, figure, change)
    values (c.id, k.other, 'minutes', greatest(1, ceil(extract(epoch from a.ended_at - a.answered_at) / 60)));
  end if;
  v_rule := c.attempts -> 'after' -> v_end;
  v_again := v_end <> 'answered' and k.tries < (c.attempts ->> 'max')::integer
    and cardinality(array_positions(k.ends, v_end)) + 1 < (v_rule ->> 'most')::integer
    -- A number that Twilio refuses stays one.
    and p_status <> 'refused' and not (v_end = 'machine' and c.machine <> 'hang_up');
  update public.campaign_contacts as t set
    state = case when v_again then 'waiting' else v_end end,
    due_at = case when v_again then now() + make_interval(mins => (v_rule ->> 'minutes')::integer) end,
    ends = case when v_end = 'answered' then t.ends else t.ends || v_end end
  where t.id = k.id and t.state not in ('opted_out', 'suppressed');
end
$$;

-- Somebody who has said stop is not dialled any more, by any campaign of the owner: reserved dials end at once. SECURITY DEFINER
-- because an admin who adds a number may not change campaigns.
create function public.stop_campaign_contacts() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_id bigint;
begin
  for v_id in
    select a.id from public.dial_attempts as a
    join new_rows as n on n.e164 = a.to_e164 and n.org_id is not distinct from a.org_id
    where a.purpose = 'campaign' and a.state = 'intended' and a.ended_at is null
    order by a.id for update of a
  loop
    perform public.end_campaign_attempt(v_id, 'canceled');
  end loop;
  update public.campaign_contacts as k set state = case when k.tries > 0 then 'opted_out' else 'suppressed' end, due_at = null
  from new_rows as n
  where k.e164 = n.e164 and k.owner = coalesce(n.org_id, '00000000-0000-0000-0000-000000000000')
    and k.state not in ('opted_out', 'suppressed');
  return null;
end
$$;

create trigger suppressions_stop_campaigns after insert on public.suppressions
  referencing new table as new_rows for each statement execute function public.stop_campaign_contacts();

-- Starts, pauses, resumes or stops a campaign; again: nothing. `dial`: a person asks for the next dial of a preview. Stop ends
-- what is reserved and what rings; talks go on. p_because: why it pauses, where no person asks for it. p_max_minutes: of resume,
-- the new budget of all its talks; null: as before. p_rate: the calls a second that Twilio makes for an account of which
-- dial_rates.at_most does not say it. Returns the new state. Raises PT404 for no such campaign, PT409 where the state
-- does not allow the command or the budget is used up.
create function public.command_campaign(
  p_campaign_id uuid, p_command text, p_because text default null, p_by text default null, p_max_minutes integer default null,
  p_rate numeric default 1
) returns text
language plpgsql volatile set search_path = ''
as $$
declare
  c public.campaigns;
  a public.dial_attempts;
begin
  -- The rate before the campaign, as those who reserve dials do; they refer to the campaign meanwhile, which its key does not mind.
  perform from public.dial_rates as r
  where r.owner = (select t.owner from public.campaigns as t where t.id = p_campaign_id) for update;
  select * into c from public.campaigns as t where t.id = p_campaign_id for no key update;
  if c.id is null then
    raise sqlstate 'PT404' using message = 'there is no such campaign';
  elsif not coalesce(c.state = any (case p_command
    when 'start' then array['draft', 'running'] when 'pause' then array['running', 'paused']
    when 'resume' then array['paused', 'running'] when 'dial' then array['running'] when 'stop' then array['draft', 'running', 'paused', 'stopping', 'done']
  end), false) then
    raise sqlstate 'PT409' using message = format('a campaign that is %s cannot %s', c.state, p_command);
  elsif p_command = 'start' and not exists (select from public.campaign_lines as l where l.campaign_id = c.id) then
    raise sqlstate 'PT409' using message = 'the campaign has no number to call from';
  elsif p_command = 'dial' and c.mode <> 'preview' then
    raise sqlstate 'PT409' using message = format('the dials of a campaign of mode %s are not asked for', c.mode);
  elsif p_command = 'resume' and coalesce(p_max_minutes, c.max_minutes) <= (
    select coalesce(sum(f.change), 0) from public.campaign_changes as f where f.campaign_id = c.id and f.figure = 'minutes'
  ) then
    raise sqlstate 'PT409' using
      message = format('its %s minutes are used up: resume it with more max_minutes', coalesce(p_max_minutes, c.max_minutes));
  end if;
  update public.campaigns as t set
    changed_by = p_by,
    max_minutes = case when p_command = 'resume' then coalesce(p_max_minutes, t.max_minutes) else t.max_minutes end,
    state = case p_command when 'pause' then 'paused' when 'stop' then case c.state when 'done' then 'done' else 'stopping' end else 'running' end,
    paused_because = case when p_command <> 'pause' then null when c.state = 'paused' then t.paused_because else p_because end,
    started_at = case when p_command = 'start' then coalesce(t.started_at, now()) else t.started_at end,
    running_since = case when p_command in ('start', 'resume') and c.state <> 'running' then clock_timestamp() else t.running_since end,
    asked_for = case when p_command = 'dial' then least(1000, t.asked_for + 1) else t.asked_for end
  where t.id = c.id returning * into c;
  if p_command in ('start', 'resume') then
    insert into public.dial_rates as r (owner, per_second)
    -- Legs to people keep the same rate, and a slow campaign is no reason to let them wait: Twilio makes one call a second.
    select c.owner, least(
      greatest(1, max(o.calls_per_second)),
      coalesce((select t.at_most from public.dial_rates as t where t.owner = c.owner), p_rate)
    )
    from public.campaigns as o where o.owner = c.owner and o.state = 'running'
    on conflict (owner) do update set per_second = excluded.per_second;
  elsif p_command = 'stop' then
    for a in
      select t.* from public.dial_attempts as t
      where t.campaign_id = c.id and t.ended_at is null and t.answered_at is null and t.cancelled_at is null
      order by t.id for update
    loop
      if a.dialled_at is null then
        perform public.end_campaign_attempt(a.id, 'canceled');
      else
        perform public.cancel_attempt(a, 'canceled');
      end if;
    end loop;
  end if;
  return c.state;
end
$$;

-- Ends what is over, and adds up the live figures' changes. Each minute.
create function public.mend_campaigns() returns void
language sql volatile set search_path = ''
begin atomic
  update public.campaigns as c set state = 'done', ended_at = now(), changed_by = null
  where c.state in ('running', 'stopping')
    and not exists (select from public.dial_attempts as a where a.campaign_id = c.id and a.ended_at is null)
    and (
      c.state = 'stopping'
      or (
        c.started_at < now() - interval '1 minute'
        -- Its list may still come.
        and exists (select from public.campaign_contacts as k where k.campaign_id = c.id)
        and not exists (
          select from public.campaign_contacts as k join public.campaign_areas as r on r.id = k.area_id
          where r.campaign_id = c.id and k.due_at is not null
        )
      )
    );
  -- A number that people no longer answer has a rest: networks may show it as spam.
  update public.campaign_lines as l set rests_until = now() + interval '1 day'
  from (
    select
      d.campaign_id, d.line, count(*) as dials, count(*) filter (where d.result in ('answered', 'abandoned')) as answers,
      sum(count(*)) over pool as pool_dials,
      sum(count(*) filter (where d.result in ('answered', 'abandoned'))) over pool as pool_answers
    from public.campaigns as c join public.campaign_dials as d on d.campaign_id = c.id and d.dialled_at > now() - interval '4 hours'
    where c.state = 'running'
    group by 1, 2
    window pool as (partition by d.campaign_id)
  ) as d
  where (l.campaign_id, l.line) = (d.campaign_id, d.line) and coalesce(l.rests_until <= now(), true)
    and d.dials >= 50 and d.answers * d.pool_dials * 2 < d.pool_answers * d.dials;
  with gone as (
    delete from public.campaign_changes as c where c.ctid = any (array(
      select o.ctid from public.campaign_changes as o for update skip locked
    ))
    returning c.campaign_id, c.other, c.figure, c.change
  )
  insert into public.campaign_changes (campaign_id, other, figure, change)
  select g.campaign_id, g.other, g.figure, sum(g.change) from gone as g group by 1, 2, 3;
end;

create view public.campaign_live with (security_invoker = true) as
select
  c.id as campaign_id, c.org_id, c.name, c.mode, c.state, c.started_at, c.ended_at,
  coalesce(sum(f.change) filter (where f.figure not in ('dialled', 'minutes')), 0)::integer as contacts,
  coalesce(sum(f.change) filter (where f.figure = 'waiting'), 0)::integer as waiting,
  coalesce(sum(f.change) filter (where f.figure = 'dialled'), 0)::integer as dialled,
  coalesce(sum(f.change) filter (where f.figure = 'ringing'), 0)::integer as ringing,
  coalesce(sum(f.change) filter (where f.figure = 'answered'), 0)::integer as answered,
  coalesce(sum(f.change) filter (where f.figure = 'machine'), 0)::integer as machine,
  coalesce(sum(f.change) filter (where f.figure = 'busy'), 0)::integer as busy,
  coalesce(sum(f.change) filter (where f.figure = 'no_answer'), 0)::integer as no_answer,
  coalesce(sum(f.change) filter (where f.figure = 'failed'), 0)::integer as failed,
  coalesce(sum(f.change) filter (where f.figure = 'opted_out'), 0)::integer as opted_out,
  coalesce(sum(f.change) filter (where f.figure = 'suppressed'), 0)::integer as suppressed,
  coalesce(sum(f.change) filter (where f.figure = 'abandoned'), 0)::integer as abandoned,
  coalesce(sum(f.change) filter (where f.figure = 'unknown'), 0)::integer as unknown,
  coalesce(sum(f.change) filter (where f.figure = 'minutes'), 0)::integer as minutes, c.paused_because
from public.campaigns as c
left join public.campaign_changes as f on f.campaign_id = c.id
group by c.id;

comment on view public.campaign_live is 'Of each campaign the contacts by state, and the dials made (dialled). waiting: still to be dialled, or again; unknown: a dial of which Twilio has not said whether it made it.';

create view public.campaign_results with (security_invoker = true) as
select
  k.campaign_id, c.org_id, c.name as campaign, k.e164, k.name, k.state, k.tries, k.ends, k.due_at,
  last.dialled_at, last.answered_at, last.ended_at, last.line, last.leg_sid as call_sid,
  case when k.other then c.other_flow else c.flow end as flow
from public.campaign_contacts as k
join public.campaigns as c on c.id = k.campaign_id
left join lateral (
  select a.dialled_at, a.answered_at, a.ended_at, a.line, a.leg_sid from public.dial_attempts as a
  where a.contact_id = k.id and a.dialled_at is not null order by a.id desc limit 1
) as last on true;

comment on view public.campaign_results is 'Each contact of a campaign, how it stands, and its last dial.';

create view public.campaign_compliance with (security_invoker = true) as
select
  d.campaign_id, c.org_id, c.name as campaign, c.consent, date_trunc('day', d.dialled_at, 'UTC')::date as day, count(*) as dials,
  count(*) filter (where t.is_answer) as answered, count(*) filter (where d.result = 'machine') as machine,
  count(*) filter (where d.result = 'abandoned') as found_nobody,
  count(*) filter (where t.is_abandoned) as abandoned,
  round(100.0 * count(*) filter (where t.is_abandoned) / nullif(count(*) filter (where t.is_answer), 0), 2) as abandoned_pct,
  count(*) filter (where d.consent_at is not null) as with_consent_on_record
from public.campaign_dials as d
join public.campaigns as c on c.id = d.campaign_id
cross join lateral (
  select a.is_answer, a.is_answer and c.mode in ('progressive', 'predictive')
    and coalesce(d.connected_at > d.answered_at + interval '2 seconds', true) as is_abandoned
  from (select d.result in ('answered', 'abandoned') as is_answer) as a
) as t
group by d.campaign_id, c.id, 5;

comment on view public.campaign_compliance is 'Of each campaign and day (UTC): dials, and answers by a person. found_nobody: for whom none of the owner''s people was free, or who was never connected. abandoned: in progressive and predictive campaigns, who was not connected with one of them within 2 seconds of the answer, for whatever reason; the greeting''s end, from which 47 CFR 64.1200 counts, is not seen. Its part of the answers is abandoned_pct.';

-- A campaign with its live figures and, in settings, as it was created; null: there is none. next_opening: when the first of those who wait may be called, as far
-- as the openings were worked out; a time in the past: now. account_calls_per_second: what an operator has said of the account;
-- dials_left_today: those that its numbers may still make.
create function public.campaign_now(p_campaign_id uuid) returns jsonb
language sql stable set search_path = ''
begin atomic
  select to_jsonb(v) - 'campaign_id' || jsonb_build_object(
    'id', c.id, 'starts_at', c.starts_at, 'created_at', c.created_at,
    'account_calls_per_second', (select r.at_most from public.dial_rates as r where r.owner = c.owner),
    'dials_left_today', (
      select coalesce(sum(greatest(0, l.per_day - case when l.day = current_date then l.dialled else 0 end)), 0)
      from public.campaign_lines as l where l.campaign_id = c.id and coalesce(l.rests_until <= now(), true)
    ),
    'next_opening', (
      select min(a.opens_at) from public.campaign_areas as a
      where a.campaign_id = c.id and a.closes_at > now()
        and exists (select from public.campaign_contacts as k where k.area_id = a.id and k.due_at is not null)
    ),
    'by_flow', case when c.other_flow is not null then (
      select jsonb_agg(jsonb_build_object('flow', case when b.other then c.other_flow else c.flow end) || b.figures order by b.other)
      from (
        select f.other, jsonb_object_agg(f.figure, f.change) || jsonb_build_object(
          'contacts', coalesce(sum(f.change) filter (where f.figure not in ('dialled', 'minutes')), 0)
        ) as figures
        from (
          select g.other, g.figure, sum(g.change) as change from public.campaign_changes as g
          where g.campaign_id = c.id group by 1, 2
        ) as f
        group by 1
      ) as b
    ) end,
    'settings', jsonb_build_object(
      'flow', c.flow, 'flows', case when c.other_flow is not null then jsonb_build_array(
        jsonb_build_object('flow', c.flow, 'share', 100 - c.other_share),
        jsonb_build_object('flow', c.other_flow, 'share', c.other_share)
      ) end, 'calls_per_second', c.calls_per_second, 'max_concurrent', c.max_concurrent, 'window', c.window_hours,
      'attempts', c.attempts, 'machine', c.machine, 'consent', c.consent, 'ring_seconds', c.ring_seconds,
      'max_minutes', c.max_minutes, 'caller_name', c.caller_name, 'caller_numbers', (
        select coalesce(jsonb_agg(l.line order by l.line), '[]') from public.campaign_lines as l where l.campaign_id = c.id
      )
    )
  )
  from public.campaigns as c join public.campaign_live as v on v.campaign_id = c.id
  where c.id = p_campaign_id;
end;

-- The newest 200 campaigns of an owner with their live figures.
create function public.campaigns_of(p_org_id uuid) returns jsonb
language sql stable set search_path = ''
begin atomic
  select coalesce(jsonb_agg(public.campaign_now(c.id) order by c.created_at desc, c.id), '[]')
  from (
    select t.id, t.created_at from public.campaigns as t
    where t.owner = coalesce(p_org_id, '00000000-0000-0000-0000-000000000000')
    order by t.created_at desc, t.id limit 200
  ) as c;
end;

-- How the contacts of a campaign stand, by number after p_after; at most p_most.
create function public.campaign_results_page(p_campaign_id uuid, p_after text, p_most integer) returns jsonb
language sql stable set search_path = ''
begin atomic
  select coalesce(jsonb_agg(to_jsonb(r) - 'campaign_id' - 'org_id' - 'campaign' order by r.e164), '[]')
  from (
    select * from public.campaign_results as t
    where t.campaign_id = p_campaign_id and t.e164 > coalesce(p_after, '')
    order by t.e164 limit p_most
  ) as r;
end;

grant select on public.campaign_live, public.campaign_results, public.campaign_compliance to authenticated, service_role;
grant execute on function
  public.create_campaign, public.campaign_now, public.campaigns_of, public.campaign_results_page,
  public.import_campaign_contacts, public.set_campaign_openings, public.running_campaigns,
  public.campaign_floor, public.reserve_campaign_dials, public.begin_campaign_dials,
  public.campaign_leg_told, public.contact_stands, public.end_campaign_attempt, public.stop_campaign_contacts,
  public.command_campaign, public.mend_campaigns
  to service_role;
