-- Recordings of voicemails and conversations.

create table public.recordings (
  -- No foreign key to call_logs: a recording's event may come before its call's.
  call_sid text not null constraint recordings_call_sid_form check (call_sid ~ '^CA[0-9a-fA-F]{32}$'),
  recording_sid text not null constraint recordings_sid_form check (recording_sid ~ '^RE[0-9a-fA-F]{32}$'),
  leg_sid text not null constraint recordings_leg_sid_form check (leg_sid ~ '^CA[0-9a-fA-F]{32}$'),
  source text not null constraint recordings_source_known check (source in ('dial', 'voicemail')),
  url text constraint recordings_url_form check (url ~ '^https?://' and length(url) <= 2048),
  -- The smallest reported length: <Record action> includes the silence that Twilio trims later.
  duration_sec integer constraint recordings_duration_sec_range check (duration_sec >= 0),
  transcript text constraint recordings_transcript_length check (length(transcript) <= 65536),
  recorded_at timestamptz not null,
  -- Confirmed by its callback, its transcription or the REST API. <Record action> is not enough, because it is also requested
  -- for a silent caller.
  confirmed boolean not null default false,
  -- Twilio no longer has it, or never kept it.
  deleted_at timestamptz,
  -- Set by an operator, not by an event.
  handled_at timestamptz,
  -- The key includes the call, so that no event of one call reaches a recording of another.
  primary key (call_sid, recording_sid)
);

comment on table public.recordings is 'One row a recording of a call: the fold of its events, in any order.';
comment on column public.recordings.handled_at is 'When an operator marked the voicemail as handled; it then leaves voicemail_backlog.';

create index recordings_done_idx on public.recordings (recorded_at desc)
  where source = 'voicemail' and handled_at is not null and deleted_at is null;
create index recordings_backlog_idx on public.recordings (recorded_at)
  where source = 'voicemail' and handled_at is null and deleted_at is null;

alter table public.recordings enable row level security;
create policy recordings_of_own_org on public.recordings
  for select to authenticated
  using (exists (select from public.call_logs as c where c.call_sid = recordings.call_sid));
create policy recordings_for_monitoring on public.recordings for select to monitoring using (true);

-- Where a recording is at Twilio; null: there is none. By the claims of a verified token: of a call that the user may see.
-- Without: a voicemail.
create function public.recording_url(p_call_sid text, p_recording_sid text, p_claims jsonb default null) returns text
language sql stable set search_path = ''
as $$
  select r.url from public.recordings as r join public.call_logs as c on c.call_sid = r.call_sid
  where r.call_sid = p_call_sid and r.recording_sid = p_recording_sid and r.deleted_at is null
    and case when p_claims is null then r.source = 'voicemail'
      else coalesce(c.org_id, '00000000-0000-0000-0000-000000000000') = (private.membership_of(p_claims)).owner end
$$;

grant select on public.recordings to authenticated;
grant select, insert, update on public.recordings to service_role;
grant select (source, recorded_at, handled_at, deleted_at) on public.recordings to monitoring;
grant execute on function public.recording_url to service_role;

select public.make_store('public.recordings');
