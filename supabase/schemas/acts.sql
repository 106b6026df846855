-- What signed-in people do with a call beyond writing rows of their own: call back, erase. Each function in `public` runs one
-- of `private` that checks the sender's role and the call's owner.

-- The call of the sender's organisation. @throws 42501 below p_role, PT404 where there is none.
create function private.call_for(p_call_sid text, p_role public.member_role) returns public.call_logs
language plpgsql stable security definer set search_path = ''
as $$
declare
  c public.call_logs;
begin
  if not coalesce(public.my_role() >= p_role, false) then
    raise sqlstate '42501' using message = 'your role does not allow this';
  end if;
  select * into c from public.call_logs as l
  where l.call_sid = p_call_sid
    and coalesce(l.org_id, '00000000-0000-0000-0000-000000000000') = public.current_owner();
  if c.call_sid is null then
    raise sqlstate 'PT404' using message = 'there is no such call';
  end if;
  return c;
end
$$;

-- A promise to call the other party back, kept by the sender's own telephone, once, now.
create function private.call_back(p_call_sid text) returns uuid
language plpgsql volatile security definer set search_path = ''
as $$
declare
  c constant public.call_logs := private.call_for(p_call_sid, 'agent');
  p public.people;
  v record;
  v_id uuid;
begin
  select h.* into p from public.people as h join public.members as m on m.id = h.member_id where m.user_id = auth.uid();
  if p.id is null or p.verified_at is null then
    raise sqlstate 'PT409' using message = 'no verified telephone is yours: an admin links you to one under People';
  elsif not public.person_available(p) then
    raise sqlstate 'PT409' using message = 'you are not available: set yourself available first';
  elsif c.party is null then
    raise sqlstate 'PT409' using message = 'the number was withheld';
  elsif public.own_lines(array[c.party::text]) <> '[]' then
    raise sqlstate 'PT409' using message = 'the number is a line itself';
  elsif not public.came_callable(c) then
    raise sqlstate 'PT409' using
      message = 'the number may not be called: it is no allowed destination, or its network could not confirm the caller';
  elsif exists (
    select from public.suppressions as x where x.number_hash = public.number_hash(c.party) and x.org_id is not distinct from c.org_id
  ) then
    raise sqlstate 'PT409' using message = 'the number has said stop';
  end if;
  select w.id, w.definition ->> 'zone' as zone, w.definition ->> 'start' as start into v
  from public.call_flow_versions as w join public.call_flows as f on f.id = w.flow_id
  where f.org_id is not distinct from c.org_id
  order by w.id = c.flow_version desc nulls last, w.published_at desc limit 1;
  if v.id is null then
    raise sqlstate 'PT409' using message = 'publish a flow first: your telephone is rung in its language';
  end if;
  if not public.calendar_open(public.calling_hours(v.zone), now()) then
    raise sqlstate 'PT409' using
      message = format('people are called back from 08:00 to 21:00 (%s): it is %s', v.zone, to_char(now() at time zone v.zone, 'HH24:MI'));
  end if;
  insert into public.callbacks (
    call_sid, org_id, to_e164, line, group_name, version_id, node, members, seconds, calendar, queued_at, max_tries
  ) values (
    -- A queue of the person's own: its members are no group's.
    c.call_sid, c.org_id, c.party, c.line, 'own/' || p.handle, v.id, v.start, array[p.handle], 30,
    public.calling_hours(v.zone), clock_timestamp(), 1
  )
  on conflict (owner, to_e164, group_name) where state = 'open' do nothing
  returning id into v_id;
  if v_id is not null then
    perform public.enqueue_job('callback', v_id::text, jsonb_build_object('call_sid', c.call_sid));
    -- What failed before is in hands now.
    update public.callbacks as k set dismissed = true
    where k.to_e164 = c.party and k.org_id is not distinct from c.org_id and k.state = 'failed' and not k.dismissed;
  end if;
  return v_id;
end
$$;

-- Erases an ended call and all that refers to it.
create function private.erase_call(p_call_sid text) returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  c constant public.call_logs := private.call_for(p_call_sid, 'admin');
begin
  -- A transaction that accepts an event of the call holds its row.
  perform from public.call_logs as l where l.call_sid = c.call_sid for update;
  if c.status < 'lost' then
    raise sqlstate 'PT409' using message = 'the call has not ended';
  end if;
  perform public.erase(array[c.call_sid], '{}', null, null, true);
  insert into public.audit_log (owner, user_id, action, object, key, changes)
  values (public.current_owner(), auth.uid(), 'delete', 'call_logs', encode(public.call_hash(c.call_sid), 'hex'), '{}');
end
$$;

-- Null: the sender's telephone is being rung for this number already.
create function public.call_back(p_call_sid text) returns uuid
language sql volatile set search_path = ''
return private.call_back(p_call_sid);

create function public.erase_call(p_call_sid text) returns void
language sql volatile set search_path = ''
return private.erase_call(p_call_sid);

grant execute on function private.call_back, private.erase_call, public.call_back, public.erase_call to authenticated;

select public.make_audited('public.contacts', 'id', '{blocked}');
select public.make_audited('public.knowledge_entries', 'id', '{language}');
select public.make_audited('public.agent_questions', 'id', '{dismissed}');
select public.make_audited('public.prompts', 'hash', '{mime, seconds}', 'stored_by');
select public.make_audited('public.call_notes', 'id', '{}');
select public.make_audited('public.call_tags', 'tag', '{tag}');
select public.make_audited('public.voicemail_steps', 'id', '{state, assigned_to}');
select public.make_audited('public.call_flow_pointers', 'flow_id', '{version}', 'moved_by');
create trigger audited_dismissed after update on public.callbacks
  for each row when (old.dismissed <> new.dismissed) execute function public.write_audit('id', '{dismissed}', '');
-- A draft is kept while one types: only its beginning and its end are written down.
create trigger audited after update on public.call_flows
  for each row when ((old.draft is null) <> (new.draft is null))
  execute function public.write_audit('name', '{}', 'drafted_by');
create trigger audited after insert on public.campaigns
  for each row execute function public.write_audit('id', '{mode, state}', 'changed_by');
create trigger audited_state after update on public.campaigns
  for each row when (old.state <> new.state) execute function public.write_audit('id', '{state}', 'changed_by');
select public.make_audited('public.calendar_overrides', 'calendar', '{state, until}', 'set_by');

-- Has a person's telephone rung, which proves by a key that the number is theirs: by an admin, or for oneself. Null: the
-- telephone is in use.
create function private.verify_telephone(p_person_id uuid) returns uuid
language plpgsql volatile security definer set search_path = ''
as $$
declare
  p public.people;
  v_line text;
begin
  select h.* into p from public.people as h left join public.members as m on m.id = h.member_id
  where h.id = p_person_id and coalesce(h.org_id, '00000000-0000-0000-0000-000000000000') = public.current_owner()
    and (public.my_role() >= 'admin' or (public.my_role() = 'agent' and m.user_id = auth.uid()));
  if p.id is null then
    raise sqlstate '42501' using message = 'your role does not allow this';
  end if;
  v_line := coalesce(
    (select l.line from public.lines as l where l.org_id is not distinct from p.org_id order by l.id limit 1),
    (select n.e164_number from public.telephony_numbers as n where n.org_id = p.org_id order by n.provisioned_at limit 1),
    (select c.line from public.call_logs as c where c.org_id is not distinct from p.org_id order by c.started_at desc limit 1)
  );
  if v_line is null then
    raise sqlstate 'PT409' using message = 'there is no line to call from yet: publish a flow for one, or let it take a call';
  end if;
  return public.verify_person(p.org_id, p.handle, v_line);
end
$$;

create function public.verify_telephone(p_person_id uuid) returns uuid
language sql volatile set search_path = ''
return private.verify_telephone(p_person_id);

grant execute on function private.verify_telephone, public.verify_telephone to authenticated;

-- Tries a job again that was given up. Whether it was dead.
create function private.retry_job(p_id bigint) returns boolean
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_done boolean;
begin
  if not public.runs_installation() then
    raise sqlstate '42501' using message = 'your role does not allow this';
  end if;
  v_done := public.retry_dead_jobs(p_id) > 0;
  if v_done then
    insert into public.audit_log (owner, user_id, action, object, key, changes)
    values (public.current_owner(), auth.uid(), 'update', 'jobs', p_id::text, '{"status": ["dead", "waiting"]}');
  end if;
  return v_done;
end
$$;

create function public.retry_job(p_id bigint) returns boolean
language sql volatile set search_path = ''
return private.retry_job(p_id);

grant execute on function private.retry_job, public.retry_job to authenticated;
