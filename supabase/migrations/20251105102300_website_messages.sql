-- Messages from the website.

create table public.contact_messages (
  id uuid primary key default gen_random_uuid(),
  name text not null constraint contact_messages_name_length check (length(name) between 1 and 100),
  email text not null constraint contact_messages_email_form check (email ~ '^[^\s@]+@[^\s@]+$' and length(email) <= 254),
  phone text constraint contact_messages_phone_form check (phone ~ '^\+?[0-9]{7,15}$'),
  subject text constraint contact_messages_subject_length check (length(subject) between 1 and 150),
  -- The visitor's text, unchanged. It is escaped where it becomes HTML.
  message text not null constraint contact_messages_message_length check (length(message) between 1 and 5000),
  created_at timestamptz not null default now(),
  -- An operator's mark.
  handled_at timestamptz
);

comment on table public.contact_messages is 'Messages from visitors of the website.';

create index contact_messages_created_idx on public.contact_messages (created_at desc);
create index contact_messages_email_idx on public.contact_messages (lower(email));
create index contact_messages_phone_idx on public.contact_messages (ltrim(phone, '+')) where phone is not null;

alter table public.contact_messages enable row level security;
create policy contact_messages_of_the_service on public.contact_messages
  for select to service_role using (true);

-- Stores a message from the website once: rate limits, message and mails in one transaction. Returns
-- {admitted, duplicate, id}, or {admitted: false, retry_after_sec}.
--
-- p_message: {name, email, phone, subject, message}. p_limits: the message's limits; p_receipt_limits: those of the receipt
-- to its sender; see take_rate_limits. They identify people by keyed hashes, so that the limiter's tables hold no
-- address. p_key: a hash of the Idempotency-Key, if any.
--
-- Raises PT409 (HTTP 409) when the key came before with another message; 23514 when the message does not fit.
create function public.submit_contact_message(
  p_message jsonb, p_limits jsonb, p_receipt_limits jsonb, p_key text default null
) returns jsonb
language plpgsql volatile set search_path = '' set lock_timeout = '3s'
as $$
declare
  v_key constant text := 'contact-submit:' || p_key;
  v_hash constant bytea := sha256(convert_to(p_message::text, 'UTF8'));
  v_known public.idempotency_keys;
  v_id uuid;
begin
  if v_key is not null then
    perform pg_advisory_xact_lock(hashtextextended(v_key, 0));
    select * into v_known from public.idempotency_keys as k where k.key = v_key;
    if found then
      if v_known.request_hash <> v_hash then
        raise sqlstate 'PT409' using
          message = 'another message was sent under this Idempotency-Key',
          hint = 'Send each message under a key of its own.';
      end if;
      return v_known.result || '{"duplicate": true}';
    end if;
  end if;

  if public.take_rate_limits('contact-submit', p_limits) is not null then
    return jsonb_build_object(
      'admitted', false,
      'retry_after_sec', greatest(1, public.rate_limits_retry_after('contact-submit', p_limits))
    );
  end if;

  insert into public.contact_messages (name, email, phone, subject, message)
  values (
    p_message ->> 'name', p_message ->> 'email', p_message ->> 'phone', p_message ->> 'subject', p_message ->> 'message'
  )
  returning id into v_id;

  perform public.enqueue_job(
    'mail_contact_notification', 'contact_notification/' || v_id, jsonb_build_object('contact_message_id', v_id)
  );
  -- The sender may have entered another person's address: a message beyond the receipts' limits is stored without a receipt.
  if public.take_rate_limits('contact-auto-reply', p_receipt_limits) is null then
    perform public.enqueue_job(
      'mail_contact_auto_reply', 'contact_auto_reply/' || v_id, jsonb_build_object('contact_message_id', v_id)
    );
  end if;

  if v_key is not null then
    insert into public.idempotency_keys (key, operation, request_hash, status, result, expires_at)
    values (
      v_key, 'contact-submit', v_hash, 'completed',
      jsonb_build_object('admitted', true, 'duplicate', false, 'id', v_id), now() + interval '1 day'
    );
  end if;
  return jsonb_build_object('admitted', true, 'duplicate', false, 'id', v_id);
end
$$;

-- Messages may be marked as handled and never changed.
grant select, insert on public.contact_messages to service_role;
grant update (handled_at) on public.contact_messages to service_role;
grant execute on function public.submit_contact_message to service_role;
