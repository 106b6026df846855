-- The e-mails: when each is enqueued, and its content. Each is a job, sent by notify-worker.

-- Enqueues a mail to the operator for each voicemail of a finished call, once, in any order of events, in the transaction of
-- the event. The mail waits for the transcript, at most 2 minutes; 15 minutes while Twilio has not confirmed the message.
-- A voicemail that turns out to be empty is not mailed.
create function public.owe_voicemail_mails(p_call_sid text) returns void
language sql volatile set search_path = ''
begin atomic
  select public.enqueue_job(
    'mail_voicemail', format('voicemail/%s/%s', r.call_sid, r.recording_sid),
    jsonb_build_object('call_sid', r.call_sid, 'recording_sid', r.recording_sid),
    case
      when r.transcript is not null then now()
      else least(r.recorded_at, now()) + case when r.confirmed then interval '2 minutes' else interval '15 minutes' end
    end
  )
  from public.recordings as r
  where r.call_sid = p_call_sid and r.source = 'voicemail' and r.deleted_at is null;

  delete from public.jobs as j using public.recordings as r
  where j.kind = 'mail_voicemail' and j.payload ->> 'call_sid' = p_call_sid and j.status = 'waiting'
    and r.call_sid = p_call_sid and r.recording_sid = j.payload ->> 'recording_sid' and r.deleted_at is not null;
end;

-- The current content of a mail. A voicemail's link works for 7 days from now.
create function public.mail_content(p_kind text, p_payload jsonb) returns jsonb
language sql stable set search_path = ''
as $$
  select case p_kind
    when 'mail_voicemail' then (
      select jsonb_build_object(
        'call_sid', c.call_sid, 'from_e164', c.from_e164, 'to_e164', c.to_e164, 'recording_sid', r.recording_sid,
        'recorded_at', r.recorded_at, 'duration_sec', r.duration_sec, 'transcript', r.transcript,
        'link_expires', extract(epoch from now() + interval '7 days')::bigint
      )
      from public.recordings as r join public.call_logs as c on c.call_sid = r.call_sid
      where r.call_sid = p_payload ->> 'call_sid' and r.recording_sid = p_payload ->> 'recording_sid'
    )
    when 'mail_alert' then p_payload
    when 'mail_search_alert' then public.alert_content(p_payload)
    when 'mail_missed_call' then public.missed_call_mail(p_payload ->> 'call_sid')
    else (
      select jsonb_build_object(
        'id', m.id, 'name', m.name, 'email', m.email, 'phone', m.phone, 'subject', m.subject,
        'message', m.message, 'created_at', m.created_at
      )
      from public.contact_messages as m where m.id = (p_payload ->> 'contact_message_id')::uuid
    )
  end
$$;

grant execute on function public.owe_voicemail_mails, public.mail_content to service_role;
