-- The legs dialled for a call: one row a telephone that rang.

create table public.call_legs (
  -- No foreign key to call_logs: a leg's event may come before its call's.
  call_sid text not null constraint call_legs_call_sid_form check (call_sid ~ '^CA[0-9a-fA-F]{32}$'),
  -- The call's own where Twilio did not name the leg.
  leg_sid text not null constraint call_legs_leg_sid_form check (leg_sid ~ '^CA[0-9a-fA-F]{32}$'),
  -- The dialled number, and the node of the flow that dialled it.
  to_e164 public.e164,
  node text constraint call_legs_node_form check (node ~ '^[a-z][a-z0-9_]{0,31}$'),
  -- How it ended, as Twilio's status. Null while it lasts; the states in between have columns of their own.
  status public.call_status constraint call_legs_status_final check (status >= 'lost'),
  -- The time of its earliest event.
  dialled_at timestamptz not null,
  -- Null: ringing was not reported.
  rang_at timestamptz,
  answered_at timestamptz,
  -- Whether it was connected with the caller; null: not reported. False: the caller had hung up, or the person did not accept
  -- the call.
  bridged boolean,
  -- When the person accepted the call by key; null: not asked.
  accepted_at timestamptz,
  -- Why the person who answered did not talk with the caller, or the ringing ended.
  told text constraint call_legs_told_known check (told in ('declined', 'mailbox', 'caller_left', 'taken')),
  -- What became of the caller whom this person transferred: see transfer_call.
  transfer text constraint call_legs_transfer_known check (transfer in ('pending', 'accepted', 'returned', 'unanswered', 'caller_left')),
  ended_at timestamptz,
  connected_at timestamptz generated always as (
    case when bridged is not false then coalesce(accepted_at, answered_at) end
  ) stored,
  result text generated always as (
    case
      when status is null then null
      when answered_at is null and status = 'busy' then 'busy'
      when answered_at is null and status = 'no-answer' then 'no_answer'
      when answered_at is null and status = 'canceled' then coalesce(told, 'canceled')
      when answered_at is null and status = 'failed' then 'unreachable'
      when bridged is false then coalesce(told, 'caller_left')
      else 'accepted'
    end
  ) stored,
  primary key (call_sid, leg_sid)
)
-- As call_logs.
with (fillfactor = 80);

comment on table public.call_legs is 'One row a leg that a call dialled: the fold of its events, in any order.';
comment on column public.call_legs.result is 'accepted: on the line with the caller; declined: answered, and another key pressed; mailbox: answered, and no key pressed; caller_left: answered, and the caller had gone; taken: accepted after somebody else; busy, no_answer, unreachable; canceled: ended while it rang. Null while it lasts.';

create index call_legs_dialled_at_idx on public.call_legs (dialled_at);
create index call_legs_to_idx on public.call_legs (to_e164, dialled_at);
-- Telephones that ring, or are in a talk.
create index call_legs_open_idx on public.call_legs (to_e164) where status is null;

alter table public.call_legs enable row level security;
create policy call_legs_of_own_org on public.call_legs
  for select to authenticated
  using (exists (select from public.call_logs as c where c.call_sid = call_legs.call_sid));
create policy call_legs_for_monitoring on public.call_legs for select to monitoring using (true);

grant select on public.call_legs to authenticated;
grant select, insert, update on public.call_legs to service_role;
grant select (node, dialled_at, rang_at, connected_at, ended_at, result) on public.call_legs to monitoring;

select public.make_store('public.call_legs');
