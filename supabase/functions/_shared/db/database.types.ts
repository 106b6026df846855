// Made by deno task schema --lay.

export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

export type Database = {
  public: {
    Tables: Record<never, never>;
    Views: Record<never, never>;
    Functions: {
      "accept_voice_event": { Args: { "p_event": Json }; Returns: Json };
      "accounts_to_check": { Args: { "p_limit": number }; Returns: string[] };
      "agent_barred": { Args: { "p_caps": Json; "p_line": string }; Returns: string };
      "agent_hours": { Args: { "p_call_sid": string }; Returns: Json };
      "agent_served": { Args: { "p_call_sid": string }; Returns: boolean };
      "alert_content": { Args: { "p_payload": Json }; Returns: Json };
      "alert_measured": {
        Args: {
          "p_comparison": string;
          "p_threshold": number;
          "p_unit": string;
          "p_value": number;
        };
        Returns: string;
      };
      "answer_question": {
        Args: {
          "p_call_sid": string;
          "p_language": string;
          "p_limit"?: number;
          "p_question": string;
        };
        Returns: Json;
      };
      "answering_version": { Args: { "p_ask": Json; "p_org_id": string }; Returns: number };
      "attempt_told": {
        Args: {
          "p_call_sid"?: string;
          "p_code"?: string;
          "p_leg_sid": string;
          "p_status"?: string;
          "p_token": string;
          "p_told"?: string;
        };
        Returns: Json;
      };
      "begin_campaign_dials": {
        Args: { "p_settled"?: Json; "p_tokens": (string)[] };
        Returns: (string)[];
      };
      "begin_dial": { Args: { "p_token": string }; Returns: string };
      "begin_onboarding": {
        Args: { "p_further"?: boolean; "p_key"?: string; "p_org_id": string; "p_request": Json };
        Returns: Json;
      };
      "begin_release": { Args: { "p_org_id": string }; Returns: Json };
      "bury_job": { Args: { "p_error": string; "p_id": number }; Returns: undefined };
      "calendar_open": { Args: { "p_at": string; "p_calendar": Json }; Returns: boolean };
      "calendar_states": { Args: { "p_at"?: string; "p_calendars": Json }; Returns: Json };
      "calendar_switches": {
        Args: { "p_calendar": Json; "p_days"?: number; "p_from"?: string };
        Returns: Json;
      };
      "call_back": { Args: { "p_call_sid": string }; Returns: string };
      "call_conditions": { Args: { "p_filters": Json }; Returns: string };
      "call_counts": {
        Args: { "p_since": string };
        Returns: {
          "answered": number;
          "calls": number;
          "consented": number;
          "dialled": number;
          "disposition": string;
          "hour": string;
          "hung_up_at": string;
          "longest_ring_seconds": number;
          "mode": string;
          "opted_out": number;
          "rang": number;
          "ring_seconds": number;
          "seconds": number;
          "timed": number;
        }[];
      };
      "call_hash": { Args: { "p_call_sid": string }; Returns: string };
      "call_hour_lock": { Args: { "p_hour": string }; Returns: number };
      "call_match": {
        Args: { "p_deadline": string; "p_owner": string; "p_query": string };
        Returns: string;
      };
      "call_success": {
        Args: { "p_since": string };
        Returns: {
          "abandoned_calls": number;
          "active_calls": number;
          "avg_call_duration_sec": number;
          "completed_calls": number;
          "failed_calls": number;
          "rate_limited_calls": number;
          "success_rate_pct": number;
          "total_calls": number;
        }[];
      };
      "call_to_ask": { Args: { "p_call_sid": string; "p_kind": string }; Returns: Json };
      "callback_tried": { Args: { "p_id": string; "p_result": string }; Returns: undefined };
      "caller_context": { Args: { "p_call_sid": string; "p_group": string }; Returns: Json };
      "calling_hours": { Args: { "p_zone": string }; Returns: Json };
      "calls_of_person": { Args: { "p_number": string }; Returns: string[] };
      "campaign_leg_told": {
        Args: { "p_leg_sid": string; "p_status": string; "p_token": string; "p_told": string };
        Returns: Json;
      };
      "campaign_now": { Args: { "p_campaign_id": string }; Returns: Json };
      "campaign_results_page": {
        Args: { "p_after": string; "p_campaign_id": string; "p_most": number };
        Returns: Json;
      };
      "campaigns_of": { Args: { "p_org_id": string }; Returns: Json };
      "cancel_surplus": {
        Args: { "p_org_id": string; "p_queue": string; "p_why": string };
        Returns: undefined;
      };
      "claim_job": {
        Args: { "p_key": string; "p_kind": string };
        Returns: {
          "attempts": number;
          "content": Json;
          "id": number;
          "key": string;
          "kind": string;
          "lease": string;
          "payload": Json;
          "priority": number;
        }[];
      };
      "claim_jobs": {
        Args: { "p_kinds": (string)[]; "p_limit": number; "p_per_hour"?: number };
        Returns: {
          "attempts": number;
          "content": Json;
          "id": number;
          "key": string;
          "kind": string;
          "lease": string;
          "payload": Json;
          "priority": number;
        }[];
      };
      "collect_hits": {
        Args: { "p_deadline": string; "p_sql": string };
        Returns: Record<string, unknown>;
      };
      "command_campaign": {
        Args: {
          "p_because"?: string;
          "p_by"?: string;
          "p_campaign_id": string;
          "p_command": string;
          "p_max_minutes"?: number;
          "p_rate"?: number;
        };
        Returns: string;
      };
      "complete_onboarding": {
        Args: { "p_id": string; "p_lease_token": string; "p_made": Json; "p_steps": Json };
        Returns: undefined;
      };
      "complete_release": {
        Args: { "p_id": string; "p_lease_token": string; "p_result": Json; "p_steps": Json };
        Returns: undefined;
      };
      "contact_match": { Args: { "p_owner": string; "p_query": string }; Returns: string };
      "correct_query": { Args: { "p_owner": string; "p_query": string }; Returns: string };
      "count_calls": {
        Args: { "p_from": string; "p_to": string };
        Returns: {
          "answered": number;
          "calls": number;
          "consented": number;
          "dialled": number;
          "disposition": string;
          "hour": string;
          "hung_up_at": string;
          "longest_ring_seconds": number;
          "mode": string;
          "opted_out": number;
          "org_id": string;
          "rang": number;
          "ring_seconds": number;
          "seconds": number;
          "timed": number;
        }[];
      };
      "count_paths": { Args: { "p_until"?: string }; Returns: boolean };
      "create_campaign": { Args: { "p_campaign": Json }; Returns: string };
      "current_org_id": { Args: Record<PropertyKey, never>; Returns: string };
      "current_owner": { Args: Record<PropertyKey, never>; Returns: string };
      "current_version": { Args: { "p_name": string; "p_org_id": string }; Returns: number };
      "database_connections": {
        Args: Record<PropertyKey, never>;
        Returns: {
          "allowed": number;
          "used": number;
        }[];
      };
      "dial_content": { Args: { "p_kind": string; "p_token": string }; Returns: Json };
      "dial_told": {
        Args: { "p_leg_sid"?: string; "p_state": string; "p_token": string };
        Returns: Json;
      };
      "dispatch_phone": { Args: { "p_org_id": string; "p_phone": string }; Returns: number };
      "dispatch_queue": {
        Args: { "p_org_id": string; "p_phone"?: string; "p_queue": string };
        Returns: number;
      };
      "document_match": {
        Args: { "p_indexed"?: boolean; "p_queries": (unknown)[] };
        Returns: string;
      };
      "embedding_content": { Args: { "p_key": string }; Returns: Json };
      "end_attempt": { Args: { "p_id": number; "p_status": string }; Returns: number };
      "end_campaign_attempt": { Args: { "p_id": number; "p_status": string }; Returns: undefined };
      "end_onboarding": {
        Args: {
          "p_error": string;
          "p_id": string;
          "p_lease_token": string;
          "p_status": string;
          "p_steps": Json;
        };
        Returns: undefined;
      };
      "end_onboarding_job": { Args: { "p_id": string; "p_lease": string }; Returns: undefined };
      "enqueue_calls": { Args: { "p_calls"?: (string)[]; "p_quiet"?: string }; Returns: undefined };
      "enqueue_job": {
        Args: {
          "p_key": string;
          "p_kind": string;
          "p_payload"?: Json;
          "p_priority"?: number;
          "p_run_at"?: string;
        };
        Returns: undefined;
      };
      "erase": {
        Args: {
          "p_asked"?: boolean;
          "p_calls": (string)[];
          "p_email"?: string;
          "p_messages": (string)[];
          "p_number"?: string;
        };
        Returns: Json;
      };
      "erase_agent_words": { Args: { "p_batch"?: number }; Returns: number };
      "erase_call": { Args: { "p_call_sid": string }; Returns: undefined };
      "escape_html": { Args: { "p_text": string }; Returns: string };
      "evaluate_alerts": {
        Args: { "p_channels"?: (string)[] };
        Returns: {
          "alert": string;
          "episode_id": number;
          "transition": string;
        }[];
      };
      "expired_calls": { Args: { "p_limit": number }; Returns: string[] };
      "export_person": { Args: { "p_email"?: string; "p_number": string }; Returns: Json };
      "flow_body": { Args: { "p_version_id": number }; Returns: Json };
      "flow_check_facts": { Args: { "p_definition": Json; "p_org_id": string }; Returns: Json };
      "flow_definition": {
        Args: { "p_name": string; "p_org_id": string; "p_version"?: number };
        Returns: Json;
      };
      "flow_of_account": { Args: { "p_account_sid": string; "p_hash": string }; Returns: Json };
      "flow_versions": { Args: { "p_name"?: string; "p_org_id": string }; Returns: Json };
      "flows_named_in": { Args: { "p_definition": Json }; Returns: string[] };
      "flows_used": {
        Args: { "p_definition": Json; "p_org_id": string };
        Returns: {
          "name": string;
          "version_id": number;
        }[];
      };
      "forget_person": { Args: { "p_email"?: string; "p_number": string }; Returns: Json };
      "forget_searches": { Args: { "p_batch"?: number }; Returns: number };
      "forget_telephony_token": { Args: { "p_subaccount_sid": string }; Returns: undefined };
      "free_members": {
        Args: {
          "p_members": (string)[];
          "p_org_id": string;
          "p_phone"?: string;
          "p_queue": string;
        };
        Returns: {
          "idle_since": string;
          "person_id": string;
          "phone": string;
        }[];
      };
      "from_micros": { Args: { "p_micros": string }; Returns: string };
      "fuse_hits": {
        Args: {
          "p_near": (Database["public"]["CompositeTypes"]["search_hit"])[];
          "p_words": (Database["public"]["CompositeTypes"]["search_hit"])[];
        };
        Returns: (Database["public"]["CompositeTypes"]["search_hit"])[];
      };
      "has_foreign_line": { Args: { "p_lines": (string)[]; "p_org_id": string }; Returns: boolean };
      "has_role": {
        Args: { "p_org_id": string; "p_role": Database["public"]["Enums"]["member_role"] };
        Returns: boolean;
      };
      "has_vault": { Args: Record<PropertyKey, never>; Returns: boolean };
      "has_vectors": { Args: Record<PropertyKey, never>; Returns: boolean };
      "health_migration": { Args: Record<PropertyKey, never>; Returns: string };
      "health_rate_limiter": { Args: Record<PropertyKey, never>; Returns: boolean };
      "health_recent_activity": { Args: Record<PropertyKey, never>; Returns: Json };
      "hold_jobs": {
        Args: {
          "p_error": string;
          "p_kinds"?: (string)[];
          "p_leases": (string)[];
          "p_priority"?: number;
          "p_wait_sec": number;
        };
        Returns: undefined;
      };
      "hold_onboarding": { Args: { "p_id": string; "p_lease": string }; Returns: undefined };
      "hurry_jobs": { Args: { "p_kind": string }; Returns: number };
      "import_campaign_contacts": {
        Args: { "p_campaign_id": string; "p_contacts": Json };
        Returns: Json;
      };
      "import_contacts": { Args: { "p_contacts": Json; "p_org_id"?: string }; Returns: Json };
      "index_source": {
        Args: { "p_call_sid"?: string; "p_id": string; "p_kind": string; "p_tells"?: boolean };
        Returns: undefined;
      };
      "invitation": { Args: { "p_member_id": string }; Returns: Json };
      "is_member": { Args: { "p_org_id": string }; Returns: boolean };
      "is_said": { Args: { "p_owner": string; "p_word": string }; Returns: boolean };
      "is_time_zone": { Args: { "p_zone": string }; Returns: boolean };
      "job_content": {
        Args: { "p_key": string; "p_kind": string; "p_payload": Json };
        Returns: Json;
      };
      "job_done": {
        Args: { "p_id": number; "p_lease": string; "p_result"?: string };
        Returns: boolean;
      };
      "job_failed": {
        Args: {
          "p_error": string;
          "p_id": number;
          "p_lease": string;
          "p_permanent"?: boolean;
          "p_uncertain"?: boolean;
        };
        Returns: string;
      };
      "join_as_member": { Args: Record<PropertyKey, never>; Returns: Json };
      "keep_agent_evaluation": {
        Args: {
          "p_callers": number;
          "p_faults": Json;
          "p_file": string;
          "p_flow_version": number;
          "p_served": number;
        };
        Returns: Json;
      };
      "keep_call_months": { Args: Record<PropertyKey, never>; Returns: Json };
      "keep_promise": { Args: { "p_id": string }; Returns: number };
      "keep_telephony_token": {
        Args: { "p_sealed": string; "p_subaccount_sid": string; "p_token": string };
        Returns: undefined;
      };
      "language_of": { Args: { "p_text": string }; Returns: string };
      "latency_quantile": {
        Args: { "p_cumulative": (number)[]; "p_quantile": number };
        Returns: number;
      };
      "leave_queue": { Args: { "p_call_sid": string; "p_result": string }; Returns: undefined };
      "leg_told": {
        Args: {
          "p_account_sid": string;
          "p_leg_sid": string;
          "p_status": string;
          "p_token": string;
          "p_told": string;
        };
        Returns: Json;
      };
      "lines_of_flow": { Args: { "p_flow_id": number }; Returns: Json };
      "lock_dialling": { Args: { "p_org_id": string }; Returns: undefined };
      "longest_idle": { Args: { "p_members": (string)[]; "p_org_id": string }; Returns: string };
      "mail_content": { Args: { "p_kind": string; "p_payload": Json }; Returns: Json };
      "make_audited": {
        Args: { "p_by"?: string; "p_kept": (string)[]; "p_key": string; "p_table": unknown };
        Returns: undefined;
      };
      "make_number_key": { Args: Record<PropertyKey, never>; Returns: undefined };
      "make_store": { Args: { "p_table": unknown }; Returns: undefined };
      "membership_of": { Args: { "p_claims": Json }; Returns: Json };
      "mend_campaigns": { Args: Record<PropertyKey, never>; Returns: undefined };
      "mend_dialling": { Args: Record<PropertyKey, never>; Returns: undefined };
      "messages_of_person": { Args: { "p_email": string; "p_number": string }; Returns: string[] };
      "metrics_snapshot": { Args: Record<PropertyKey, never>; Returns: Json };
      "missed_call_mail": { Args: { "p_call_sid": string }; Returns: Json };
      "missed_call_text": { Args: { "p_call_sid": string }; Returns: Json };
      "my_membership": { Args: Record<PropertyKey, never>; Returns: Json };
      "my_role": {
        Args: Record<PropertyKey, never>;
        Returns: Database["public"]["Enums"]["member_role"];
      };
      "names_number": {
        Args: { "p_least"?: number; "p_number": string; "p_query": string };
        Returns: boolean;
      };
      "near_hits": {
        Args: {
          "p_conditions": string;
          "p_embedding": (number)[];
          "p_model": string;
          "p_owner": string;
        };
        Returns: (Database["public"]["CompositeTypes"]["search_hit"])[];
      };
      "nearest_documents": {
        Args: {
          "p_embedding": (number)[];
          "p_exact"?: number;
          "p_limit": number;
          "p_model": string;
          "p_owner": string;
        };
        Returns: {
          "distance": number;
          "document_id": number;
        }[];
      };
      "next_node": {
        Args: { "p_node": string; "p_outcome": string; "p_steps": Json };
        Returns: string;
      };
      "number_hash": { Args: { "p_e164": string }; Returns: string };
      "number_key": { Args: Record<PropertyKey, never>; Returns: string };
      "onboarding_due_in": { Args: { "p_id": string }; Returns: number };
      "only_stop_words": { Args: { "p_query": string }; Returns: boolean };
      "open_agent_session": { Args: { "p_session": Json }; Returns: Json };
      "organisation_of": { Args: { "p_account_sid": string }; Returns: string };
      "owe_embeddings": { Args: { "p_model": string }; Returns: number };
      "owe_voicemail_mails": { Args: { "p_call_sid": string }; Returns: undefined };
      "own_lines": { Args: { "p_numbers": (string)[] }; Returns: Json };
      "passages": {
        Args: { "p_body": string; "p_end_ms": number; "p_start_ms": number };
        Returns: {
          "body": string;
          "end_ms": number;
          "part": number;
          "start_ms": number;
        }[];
      };
      "paths_counted": {
        Args: { "p_from": string; "p_to": string };
        Returns: {
          "calls": number;
          "node": string;
          "outcome": string;
          "version_id": number;
        }[];
      };
      "person_at": {
        Args: { "p_available"?: boolean; "p_org_id": string; "p_phone": string };
        Returns: Json;
      };
      "phones_like": { Args: { "p_digits": (string)[]; "p_owner": string }; Returns: (string)[] };
      "point_flow": {
        Args: { "p_by": string; "p_flow_id": number; "p_version": number };
        Returns: undefined;
      };
      "publish_flow": {
        Args: {
          "p_by"?: string;
          "p_definition": Json;
          "p_disclosures"?: Json;
          "p_hash": string;
          "p_lines"?: (string)[];
          "p_name": string;
          "p_note"?: string;
          "p_org_id": string;
        };
        Returns: Json;
      };
      "published_flows": { Args: Record<PropertyKey, never>; Returns: Json };
      "purge_expired": { Args: { "p_batch"?: number }; Returns: Json };
      "purge_expired_rows": { Args: { "p_batch"?: number }; Returns: Json };
      "purge_idempotency_keys": { Args: { "p_batch"?: number }; Returns: number };
      "purge_jobs": { Args: { "p_batch"?: number }; Returns: number };
      "purge_monitoring": { Args: { "p_batch"?: number }; Returns: undefined };
      "purge_personal_data": { Args: { "p_batch"?: number }; Returns: Json };
      "queue_content": { Args: { "p_call_sid": string }; Returns: Json };
      "queue_is_full": { Args: { "p_owner": string; "p_queue": string }; Returns: boolean };
      "queue_told": { Args: { "p_call_sid": string; "p_state": string }; Returns: number };
      "rate_limits_retry_after": {
        Args: { "p_endpoint": string; "p_limits": Json };
        Returns: number;
      };
      "rebuild_search_documents": { Args: Record<PropertyKey, never>; Returns: number };
      "reconsider_promises": {
        Args: { "p_calendar": string; "p_flow_id": number };
        Returns: undefined;
      };
      "record_agent_turns": {
        Args: { "p_end"?: Json; "p_session_id": string; "p_turns": Json };
        Returns: undefined;
      };
      "record_analytics_event": {
        Args: { "p_event_data"?: Json; "p_event_type": string; "p_severity": string };
        Returns: undefined;
      };
      "record_function_metrics": { Args: { "p_batch": Json; "p_key": string }; Returns: undefined };
      "record_rate_limit_refusal": {
        Args: { "p_endpoint": string; "p_identifier": string; "p_identifier_type": string };
        Returns: undefined;
      };
      "record_worker_run": { Args: { "p_ok"?: boolean; "p_worker": string }; Returns: undefined };
      "recording_url": {
        Args: { "p_call_sid": string; "p_claims"?: Json; "p_recording_sid": string };
        Returns: string;
      };
      "redact_agent_turns": {
        Args: { "p_session_id": string; "p_turns": Json };
        Returns: undefined;
      };
      "renew_job": { Args: { "p_id": number; "p_lease": string }; Returns: boolean };
      "reserve_campaign_dials": {
        Args: { "p_campaign_id": string; "p_horizon"?: string; "p_most": number };
        Returns: Json;
      };
      "retry_dead_jobs": { Args: { "p_id"?: number; "p_kind"?: string }; Returns: number };
      "retry_job": { Args: { "p_id": number }; Returns: boolean };
      "return_transfer": { Args: { "p_org_id": string; "p_queue": string }; Returns: number };
      "roll_up_calls": { Args: { "p_hours"?: number }; Returns: number };
      "rollback_flow": {
        Args: { "p_by"?: string; "p_name": string; "p_org_id": string; "p_version"?: number };
        Returns: Json;
      };
      "run_alerts": {
        Args: {
          "p_channels": (string)[];
          "p_failing": (string)[];
          "p_healthy": boolean;
          "p_refused_calls"?: number;
        };
        Returns: Json;
      };
      "run_search": {
        Args: {
          "p_cursor": string;
          "p_embedding": (number)[];
          "p_filters": Json;
          "p_limit": number;
          "p_model": string;
          "p_owner": string;
          "p_query": string;
          "p_user": string;
        };
        Returns: Json;
      };
      "rung_by": { Args: { "p_definition": Json }; Returns: string[] };
      "running_campaigns": { Args: Record<PropertyKey, never>; Returns: Json };
      "running_onboardings": {
        Args: Record<PropertyKey, never>;
        Returns: {
          "account": string;
          "business_name": string;
          "number": string;
          "org_id": string;
          "sealed_token": string;
        }[];
      };
      "runs_installation": { Args: Record<PropertyKey, never>; Returns: boolean };
      "save_flow_draft": {
        Args: { "p_by"?: string; "p_draft": Json; "p_name": string; "p_org_id": string };
        Returns: string;
      };
      "save_onboarding": {
        Args: { "p_error"?: string; "p_id": string; "p_lease_token": string; "p_steps": Json };
        Returns: undefined;
      };
      "schedule_jobs": { Args: Record<PropertyKey, never>; Returns: undefined };
      "search_batch": {
        Args: {
          "p_after": Json;
          "p_deadline": string;
          "p_embedding": (number)[];
          "p_filters": Json;
          "p_match": string;
          "p_model": string;
          "p_now": string;
          "p_owner": string;
          "p_queries": (unknown)[];
          "p_query": string;
        };
        Returns: Record<string, unknown>;
      };
      "search_calls": {
        Args: {
          "p_cursor"?: string;
          "p_embedding"?: (number)[];
          "p_filters"?: Json;
          "p_limit"?: number;
          "p_model"?: string;
          "p_query"?: string;
        };
        Returns: Json;
      };
      "search_calls_of_member": {
        Args: {
          "p_claims": Json;
          "p_cursor"?: string;
          "p_embedding"?: (number)[];
          "p_filters"?: Json;
          "p_limit"?: number;
          "p_model"?: string;
          "p_query"?: string;
        };
        Returns: Json;
      };
      "search_differences": {
        Args: Record<PropertyKey, never>;
        Returns: {
          "fault": string;
          "kind": string;
          "part": number;
          "ref": string;
        }[];
      };
      "search_facets": {
        Args: { "p_hits": (Database["public"]["CompositeTypes"]["search_hit"])[] };
        Returns: Json;
      };
      "search_kinds_of_calls": { Args: Record<PropertyKey, never>; Returns: (string)[] };
      "search_queries": { Args: { "p_query": string }; Returns: (unknown)[] };
      "search_query": { Args: { "p_lang": string; "p_query": string }; Returns: unknown };
      "search_score": { Args: { "p_now": string; "p_tsquery": string }; Returns: string };
      "search_snippet": {
        Args: {
          "p_body": string;
          "p_deadline": string;
          "p_end_ms": number;
          "p_lang": string;
          "p_query": unknown;
          "p_start_ms": number;
        };
        Returns: Record<string, unknown>;
      };
      "search_terms": {
        Args: { "p_query": string };
        Returns: {
          "alternative": number;
          "negated": boolean;
          "nth": number;
          "phrase": boolean;
          "word": string;
        }[];
      };
      "set_campaign_openings": {
        Args: { "p_campaign_id": string; "p_openings": Json };
        Returns: undefined;
      };
      "set_override": {
        Args: {
          "p_by"?: string;
          "p_calendar": string;
          "p_name": string;
          "p_org_id": string;
          "p_state": string;
          "p_until": string;
        };
        Returns: Json;
      };
      "split_numbers": { Args: { "p_query": string }; Returns: Record<string, unknown> };
      "start_jobs": {
        Args: { "p_ids": (number)[] };
        Returns: {
          "attempts": number;
          "content": Json;
          "id": number;
          "key": string;
          "kind": string;
          "lease": string;
          "payload": Json;
          "priority": number;
        }[];
      };
      "steps_of": { Args: { "p_definition": Json }; Returns: Json };
      "store_embedding": {
        Args: { "p_embedding": (number)[]; "p_key": string; "p_model": string };
        Returns: boolean;
      };
      "store_prompt": {
        Args: {
          "p_by"?: string;
          "p_bytes": number;
          "p_hash": string;
          "p_mime": string;
          "p_org_id": string;
          "p_seconds": number;
        };
        Returns: undefined;
      };
      "submit_contact_message": {
        Args: { "p_key"?: string; "p_limits": Json; "p_message": Json; "p_receipt_limits": Json };
        Returns: Json;
      };
      "suppress": {
        Args: { "p_account_sid": string; "p_e164": string; "p_source": string };
        Returns: undefined;
      };
      "take_dial_slot": { Args: { "p_most": number; "p_token": string }; Returns: number };
      "take_onboarding": { Args: { "p_id": string }; Returns: Json };
      "take_rate_limit": {
        Args: {
          "p_endpoint": string;
          "p_identifier": string;
          "p_identifier_type": string;
          "p_max": number;
          "p_window": string;
        };
        Returns: boolean;
      };
      "take_rate_limits": { Args: { "p_endpoint": string; "p_limits": Json }; Returns: Json };
      "telephony_accounts": { Args: Record<PropertyKey, never>; Returns: Json };
      "telephony_tenant": { Args: { "p_account_sid": string }; Returns: Json };
      "tell_place": { Args: { "p_call_sid": string }; Returns: Json };
      "term_query": { Args: { "p_lang": string; "p_word": string }; Returns: unknown };
      "to_micros": { Args: { "p_at": string }; Returns: number };
      "transfer_ended": { Args: { "p_result": string; "p_token": string }; Returns: undefined };
      "transfer_of": { Args: { "p_call_sid": string }; Returns: string };
      "transfer_summary": { Args: { "p_call_sid": string }; Returns: string };
      "tsquery_by_language": { Args: { "p_queries": (unknown)[] }; Returns: string };
      "unknown_calls": { Args: { "p_calls": Json }; Returns: string[] };
      "verify_person": {
        Args: { "p_handle": string; "p_line": string; "p_org_id": string };
        Returns: string;
      };
      "verify_telephone": { Args: { "p_person_id": string }; Returns: string };
      "version_by_hash": { Args: { "p_hash": string; "p_org_id": string }; Returns: number };
      "voice_answer_json": {
        Args: {
          "p_answer": Database["public"]["CompositeTypes"]["voice_answer"];
          "p_duplicate": boolean;
          "p_facts": Json;
        };
        Returns: Json;
      };
      "wants_no_calls": {
        Args: { "p_e164": string; "p_key"?: string; "p_owner": string };
        Returns: boolean;
      };
      "with_unstored": {
        Args: { "p_ask": Json; "p_call_sid": string; "p_facts": Json; "p_org_id": string };
        Returns: Json;
      };
      "words_of": { Args: { "p_text": string }; Returns: string[] };
    };
    Enums: {
      "call_event":
        | "arrived"
        | "consent"
        | "menu"
        | "route"
        | "key_pressed"
        | "dial_ended"
        | "queue_waited"
        | "queue_left"
        | "agent_left"
        | "voicemail_offered"
        | "voicemail_recorded"
        | "status"
        | "leg_status"
        | "leg_asked"
        | "leg_accepted"
        | "leg_declined"
        | "recording"
        | "transcription"
        | "reconciled"
        | "leg_reconciled"
        | "recording_reconciled"
        | "settled"
        | "closed_unheard";
      "call_status":
        | "queued"
        | "initiated"
        | "ringing"
        | "in-progress"
        | "lost"
        | "canceled"
        | "failed"
        | "busy"
        | "no-answer"
        | "completed";
      "member_role": "viewer" | "agent" | "admin" | "owner";
    };
    CompositeTypes: {
      "search_hit": {
        "kind": string | null;
        "id": number | null;
        "call_sid": string | null;
        "at": string | null;
        "score": number | null;
      };
      "voice_answer": {
        "admitted": boolean | null;
        "status": Database["public"]["Enums"]["call_status"] | null;
        "mode": string | null;
        "consent_given": boolean | null;
        "facts": Json | null;
      };
      "voice_event": {
        "operation": string | null;
        "identity": string | null;
        "account_sid": string | null;
        "call_sid": string | null;
        "leg_sid": string | null;
        "parent_call_sid": string | null;
        "event": Database["public"]["Enums"]["call_event"] | null;
        "status": string | null;
        "sequence_number": number | null;
        "occurred_at": string | null;
        "call_status": Database["public"]["Enums"]["call_status"] | null;
        "direction": string | null;
        "from_e164": string | null;
        "to_e164": string | null;
        "duration_sec": number | null;
        "mode": string | null;
        "mode_turn": number | null;
        "consent_given": boolean | null;
        "consent_order": number | null;
        "leg_status": Database["public"]["Enums"]["call_status"] | null;
        "leg_to": string | null;
        "leg_node": string | null;
        "talk_sec": number | null;
        "bridged": boolean | null;
        "recording_sid": string | null;
        "recording_url": string | null;
        "recording_source": string | null;
        "recording_duration_sec": number | null;
        "recording_lost": boolean | null;
        "transcript": string | null;
        "handoff_reason": string | null;
        "limits": Json | null;
        "rate_limited": boolean | null;
        "disclosure": Json | null;
        "ask": Json | null;
        "meta": Json | null;
      };
    };
  };
};
