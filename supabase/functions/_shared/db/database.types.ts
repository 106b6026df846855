// Made by deno task schema --lay.

export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

export type Database = {
  "public": {
    Tables: {
      "agent_evaluations": {
        Row: {
          "at": string;
          "callers": number;
          "faults": NonNullable<Json>;
          "file": string;
          "flow_version": number;
          "id": number;
          "org_id": string | null;
          "served": number;
        };
        ComputedFields: never;
        Insert: {
          "at"?: string;
          "callers": number;
          "faults"?: NonNullable<Json>;
          "file": string;
          "flow_version": number;
          "id"?: never;
          "org_id"?: string | null;
          "served": number;
        };
        Update: {
          "at"?: string;
          "callers"?: number;
          "faults"?: NonNullable<Json>;
          "file"?: string;
          "flow_version"?: number;
          "id"?: never;
          "org_id"?: string | null;
          "served"?: number;
        };
        Relationships: [];
      };
      "agent_providers": {
        Row: {
          "answered_at": string | null;
          "failed_at": string | null;
          "failures": number;
          "provider": string;
          "rests_until": string | null;
        };
        ComputedFields: never;
        Insert: {
          "answered_at"?: string | null;
          "failed_at"?: string | null;
          "failures"?: number;
          "provider": string;
          "rests_until"?: string | null;
        };
        Update: {
          "answered_at"?: string | null;
          "failed_at"?: string | null;
          "failures"?: number;
          "provider"?: string;
          "rests_until"?: string | null;
        };
        Relationships: [];
      };
      "agent_questions": {
        Row: {
          "asked": number;
          "call_sid": string;
          "dismissed": boolean;
          "first_at": string;
          "id": number;
          "language": string;
          "last_at": string;
          "org_id": string | null;
          "owner": string;
          "question": string;
        };
        ComputedFields: never;
        Insert: {
          "asked"?: number;
          "call_sid": string;
          "dismissed"?: boolean;
          "first_at"?: string;
          "id"?: never;
          "language": string;
          "last_at"?: string;
          "org_id"?: string | null;
          "owner"?: never;
          "question": string;
        };
        Update: {
          "asked"?: number;
          "call_sid"?: string;
          "dismissed"?: boolean;
          "first_at"?: string;
          "id"?: never;
          "language"?: string;
          "last_at"?: string;
          "org_id"?: string | null;
          "owner"?: never;
          "question"?: string;
        };
        Relationships: [];
      };
      "agent_sessions": {
        Row: {
          "call_sid": string;
          "cost_usd": number;
          "ended_at": string | null;
          "flow_version": number | null;
          "language": string;
          "line": string | null;
          "node": string;
          "opened_at": string;
          "org_id": string | null;
          "outcome": string | null;
          "reason": string | null;
          "seen_at": string;
          "session_id": string;
        };
        ComputedFields: never;
        Insert: {
          "call_sid": string;
          "cost_usd"?: number;
          "ended_at"?: string | null;
          "flow_version"?: number | null;
          "language": string;
          "line"?: string | null;
          "node": string;
          "opened_at"?: string;
          "org_id"?: string | null;
          "outcome"?: string | null;
          "reason"?: string | null;
          "seen_at"?: string;
          "session_id": string;
        };
        Update: {
          "call_sid"?: string;
          "cost_usd"?: number;
          "ended_at"?: string | null;
          "flow_version"?: number | null;
          "language"?: string;
          "line"?: string | null;
          "node"?: string;
          "opened_at"?: string;
          "org_id"?: string | null;
          "outcome"?: string | null;
          "reason"?: string | null;
          "seen_at"?: string;
          "session_id"?: string;
        };
        Relationships: [];
      };
      "agent_turns": {
        Row: {
          "at": string;
          "call_sid": string;
          "cost_usd": number | null;
          "first_token_ms": number | null;
          "flow_version": number | null;
          "heard_text": string | null;
          "id": number;
          "kind": string;
          "language": string;
          "model": string | null;
          "node": string;
          "org_id": string | null;
          "outcome": string | null;
          "planned_text": string | null;
          "provider": string | null;
          "reason": string | null;
          "seq": number;
          "session_id": string;
          "tokens_in": number | null;
          "tokens_out": number | null;
          "tool": string | null;
          "tool_arguments": Json | null;
          "tool_result": Json | null;
          "total_ms": number | null;
        };
        ComputedFields: never;
        Insert: {
          "at": string;
          "call_sid": string;
          "cost_usd"?: number | null;
          "first_token_ms"?: number | null;
          "flow_version"?: number | null;
          "heard_text"?: string | null;
          "id"?: never;
          "kind": string;
          "language": string;
          "model"?: string | null;
          "node": string;
          "org_id"?: string | null;
          "outcome"?: string | null;
          "planned_text"?: string | null;
          "provider"?: never;
          "reason"?: string | null;
          "seq": number;
          "session_id": string;
          "tokens_in"?: number | null;
          "tokens_out"?: number | null;
          "tool"?: string | null;
          "tool_arguments"?: Json | null;
          "tool_result"?: Json | null;
          "total_ms"?: number | null;
        };
        Update: {
          "at"?: string;
          "call_sid"?: string;
          "cost_usd"?: number | null;
          "first_token_ms"?: number | null;
          "flow_version"?: number | null;
          "heard_text"?: string | null;
          "id"?: never;
          "kind"?: string;
          "language"?: string;
          "model"?: string | null;
          "node"?: string;
          "org_id"?: string | null;
          "outcome"?: string | null;
          "planned_text"?: string | null;
          "provider"?: never;
          "reason"?: string | null;
          "seq"?: number;
          "session_id"?: string;
          "tokens_in"?: number | null;
          "tokens_out"?: number | null;
          "tool"?: string | null;
          "tool_arguments"?: Json | null;
          "tool_result"?: Json | null;
          "total_ms"?: number | null;
        };
        Relationships: [
          {
            foreignKeyName: "agent_turns_session_id_fkey";
            columns: ["session_id"];
            isOneToOne: false;
            referencedRelation: "agent_sessions";
            referencedColumns: ["session_id"];
          },
        ];
      };
      "alert_episodes": {
        Row: {
          "alert": string;
          "closed_at": string | null;
          "closed_value": number | null;
          "id": number;
          "opened_at": string;
          "opened_value": number;
          "quiet_since": string | null;
          "severity": string;
          "threshold": number;
          "told_at": string | null;
        };
        ComputedFields: never;
        Insert: {
          "alert": string;
          "closed_at"?: string | null;
          "closed_value"?: number | null;
          "id"?: never;
          "opened_at"?: string;
          "opened_value": number;
          "quiet_since"?: string | null;
          "severity": string;
          "threshold": number;
          "told_at"?: string | null;
        };
        Update: {
          "alert"?: string;
          "closed_at"?: string | null;
          "closed_value"?: number | null;
          "id"?: never;
          "opened_at"?: string;
          "opened_value"?: number;
          "quiet_since"?: string | null;
          "severity"?: string;
          "threshold"?: number;
          "told_at"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "alert_episodes_alert_fkey";
            columns: ["alert"];
            isOneToOne: false;
            referencedRelation: "alert_rules";
            referencedColumns: ["alert"];
          },
          {
            foreignKeyName: "alert_episodes_alert_fkey";
            columns: ["alert"];
            isOneToOne: false;
            referencedRelation: "alert_status";
            referencedColumns: ["alert"];
          },
        ];
      };
      "alert_rules": {
        Row: {
          "action": string;
          "alert": string;
          "close_after_minutes": number;
          "comparison": string;
          "minimum": number;
          "severity": string;
          "summary": string;
          "threshold": number;
          "unit": string;
          "window_minutes": number;
        };
        ComputedFields: never;
        Insert: {
          "action": string;
          "alert": string;
          "close_after_minutes"?: number;
          "comparison": string;
          "minimum"?: number;
          "severity": string;
          "summary": string;
          "threshold": number;
          "unit": string;
          "window_minutes": number;
        };
        Update: {
          "action"?: string;
          "alert"?: string;
          "close_after_minutes"?: number;
          "comparison"?: string;
          "minimum"?: number;
          "severity"?: string;
          "summary"?: string;
          "threshold"?: number;
          "unit"?: string;
          "window_minutes"?: number;
        };
        Relationships: [];
      };
      "analytics_events": {
        Row: {
          "created_at": string;
          "event_data": NonNullable<Json>;
          "event_type": string;
          "id": number;
          "severity": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "event_data"?: NonNullable<Json>;
          "event_type": string;
          "id"?: never;
          "severity"?: string;
        };
        Update: {
          "created_at"?: string;
          "event_data"?: NonNullable<Json>;
          "event_type"?: string;
          "id"?: never;
          "severity"?: string;
        };
        Relationships: [];
      };
      "audit_log": {
        Row: {
          "action": string;
          "at": string;
          "changes": NonNullable<Json>;
          "id": number;
          "key": string;
          "object": string;
          "owner": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "action": string;
          "at"?: string;
          "changes": NonNullable<Json>;
          "id"?: never;
          "key": string;
          "object": string;
          "owner": string;
          "user_id": string;
        };
        Update: {
          "action"?: string;
          "at"?: string;
          "changes"?: NonNullable<Json>;
          "id"?: never;
          "key"?: string;
          "object"?: string;
          "owner"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "calendar_overrides": {
        Row: {
          "calendar": string;
          "flow_id": number;
          "set_at": string;
          "set_by": string | null;
          "state": string;
          "until": string;
        };
        ComputedFields: never;
        Insert: {
          "calendar": string;
          "flow_id": number;
          "set_at"?: string;
          "set_by"?: string | null;
          "state": string;
          "until": string;
        };
        Update: {
          "calendar"?: string;
          "flow_id"?: number;
          "set_at"?: string;
          "set_by"?: string | null;
          "state"?: string;
          "until"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "calendar_overrides_flow_id_fkey";
            columns: ["flow_id"];
            isOneToOne: false;
            referencedRelation: "call_flows";
            referencedColumns: ["id"];
          },
        ];
      };
      "call_flow_pointers": {
        Row: {
          "flow_id": number;
          "moved_at": string;
          "moved_by": string | null;
          "version": number;
        };
        ComputedFields: never;
        Insert: {
          "flow_id": number;
          "moved_at"?: string;
          "moved_by"?: string | null;
          "version": number;
        };
        Update: {
          "flow_id"?: number;
          "moved_at"?: string;
          "moved_by"?: string | null;
          "version"?: number;
        };
        Relationships: [
          {
            foreignKeyName: "call_flow_pointers_flow_id_fkey";
            columns: ["flow_id"];
            isOneToOne: true;
            referencedRelation: "call_flows";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "call_flow_pointers_to_version";
            columns: ["flow_id", "version"];
            isOneToOne: false;
            referencedRelation: "call_flow_versions";
            referencedColumns: ["flow_id", "version"];
          },
        ];
      };
      "call_flow_versions": {
        Row: {
          "agents": boolean;
          "asks_returning": boolean;
          "calendars": NonNullable<Json>;
          "definition": NonNullable<Json>;
          "flow_id": number;
          "handles": (string)[];
          "hash": string;
          "holds": (string)[];
          "id": number;
          "missed_call": Json | null;
          "note": string | null;
          "numbers": (string)[];
          "published_at": string;
          "published_by": string | null;
          "replaces": number | null;
          "rings_alone": boolean;
          "steps": NonNullable<Json>;
          "uses": NonNullable<Json>;
          "version": number;
        };
        ComputedFields: never;
        Insert: {
          "agents"?: boolean;
          "asks_returning"?: boolean;
          "calendars"?: NonNullable<Json>;
          "definition": NonNullable<Json>;
          "flow_id": number;
          "handles"?: (string)[];
          "hash": string;
          "holds"?: (string)[];
          "id"?: never;
          "missed_call"?: Json | null;
          "note"?: string | null;
          "numbers"?: (string)[];
          "published_at"?: string;
          "published_by"?: string | null;
          "replaces"?: number | null;
          "rings_alone"?: boolean;
          "steps": NonNullable<Json>;
          "uses"?: NonNullable<Json>;
          "version": number;
        };
        Update: {
          "agents"?: boolean;
          "asks_returning"?: boolean;
          "calendars"?: NonNullable<Json>;
          "definition"?: NonNullable<Json>;
          "flow_id"?: number;
          "handles"?: (string)[];
          "hash"?: string;
          "holds"?: (string)[];
          "id"?: never;
          "missed_call"?: Json | null;
          "note"?: string | null;
          "numbers"?: (string)[];
          "published_at"?: string;
          "published_by"?: string | null;
          "replaces"?: number | null;
          "rings_alone"?: boolean;
          "steps"?: NonNullable<Json>;
          "uses"?: NonNullable<Json>;
          "version"?: number;
        };
        Relationships: [
          {
            foreignKeyName: "call_flow_versions_flow_id_fkey";
            columns: ["flow_id"];
            isOneToOne: false;
            referencedRelation: "call_flows";
            referencedColumns: ["id"];
          },
        ];
      };
      "call_flows": {
        Row: {
          "draft": Json | null;
          "drafted_at": string | null;
          "drafted_by": string | null;
          "id": number;
          "name": string;
          "org_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "draft"?: Json | null;
          "drafted_at"?: string | null;
          "drafted_by"?: string | null;
          "id"?: never;
          "name": string;
          "org_id"?: string | null;
        };
        Update: {
          "draft"?: Json | null;
          "drafted_at"?: string | null;
          "drafted_by"?: string | null;
          "id"?: never;
          "name"?: string;
          "org_id"?: string | null;
        };
        Relationships: [];
      };
      "call_hours": {
        Row: {
          "answered": number;
          "calls": number;
          "consented": number;
          "dialled": number;
          "disposition": string | null;
          "hour": string;
          "hung_up_at": string | null;
          "id": number;
          "longest_ring_seconds": number | null;
          "mode": string;
          "opted_out": number;
          "org_id": string | null;
          "rang": number;
          "ring_seconds": number;
          "scope": string;
          "seconds": number;
          "timed": number;
        };
        ComputedFields: never;
        Insert: {
          "answered": number;
          "calls": number;
          "consented": number;
          "dialled": number;
          "disposition"?: string | null;
          "hour": string;
          "hung_up_at"?: string | null;
          "id"?: never;
          "longest_ring_seconds"?: number | null;
          "mode": string;
          "opted_out": number;
          "org_id"?: string | null;
          "rang": number;
          "ring_seconds": number;
          "scope": string;
          "seconds": number;
          "timed": number;
        };
        Update: {
          "answered"?: number;
          "calls"?: number;
          "consented"?: number;
          "dialled"?: number;
          "disposition"?: string | null;
          "hour"?: string;
          "hung_up_at"?: string | null;
          "id"?: never;
          "longest_ring_seconds"?: number | null;
          "mode"?: string;
          "opted_out"?: number;
          "org_id"?: string | null;
          "rang"?: number;
          "ring_seconds"?: number;
          "scope"?: string;
          "seconds"?: number;
          "timed"?: number;
        };
        Relationships: [
          {
            foreignKeyName: "call_hours_hour_fkey";
            columns: ["hour"];
            isOneToOne: false;
            referencedRelation: "rolled_hours";
            referencedColumns: ["hour"];
          },
        ];
      };
      "call_legs": {
        Row: {
          "accepted_at": string | null;
          "answered_at": string | null;
          "bridged": boolean | null;
          "call_sid": string;
          "connected_at": string | null;
          "dialled_at": string;
          "ended_at": string | null;
          "leg_sid": string;
          "node": string | null;
          "rang_at": string | null;
          "result": string | null;
          "status": Database["public"]["Enums"]["call_status"] | null;
          "to_e164": string | null;
          "told": string | null;
          "transfer": string | null;
        };
        ComputedFields: never;
        Insert: {
          "accepted_at"?: string | null;
          "answered_at"?: string | null;
          "bridged"?: boolean | null;
          "call_sid": string;
          "connected_at"?: never;
          "dialled_at": string;
          "ended_at"?: string | null;
          "leg_sid": string;
          "node"?: string | null;
          "rang_at"?: string | null;
          "result"?: never;
          "status"?: Database["public"]["Enums"]["call_status"] | null;
          "to_e164"?: string | null;
          "told"?: string | null;
          "transfer"?: string | null;
        };
        Update: {
          "accepted_at"?: string | null;
          "answered_at"?: string | null;
          "bridged"?: boolean | null;
          "call_sid"?: string;
          "connected_at"?: never;
          "dialled_at"?: string;
          "ended_at"?: string | null;
          "leg_sid"?: string;
          "node"?: string | null;
          "rang_at"?: string | null;
          "result"?: never;
          "status"?: Database["public"]["Enums"]["call_status"] | null;
          "to_e164"?: string | null;
          "told"?: string | null;
          "transfer"?: string | null;
        };
        Relationships: [];
      };
      "call_lifecycle": {
        Row: {
          "answer": Database["public"]["CompositeTypes"]["voice_answer"] | null;
          "call_sid": string;
          "event": Database["public"]["Enums"]["call_event"];
          "id": number;
          "identity_hash": number | null;
          "leg_sid": string;
          "meta": NonNullable<Json>;
          "occurred_at": string;
          "parent_call_sid": string | null;
          "path": Json | null;
          "received_at": string;
          "request_hash": number | null;
          "sequence_number": number | null;
          "status": string | null;
        };
        ComputedFields: never;
        Insert: {
          "answer"?: Database["public"]["CompositeTypes"]["voice_answer"] | null;
          "call_sid": string;
          "event": Database["public"]["Enums"]["call_event"];
          "id"?: never;
          "identity_hash"?: number | null;
          "leg_sid": string;
          "meta"?: NonNullable<Json>;
          "occurred_at": string;
          "parent_call_sid"?: string | null;
          "path"?: Json | null;
          "received_at"?: string;
          "request_hash"?: number | null;
          "sequence_number"?: number | null;
          "status"?: string | null;
        };
        Update: {
          "answer"?: Database["public"]["CompositeTypes"]["voice_answer"] | null;
          "call_sid"?: string;
          "event"?: Database["public"]["Enums"]["call_event"];
          "id"?: never;
          "identity_hash"?: number | null;
          "leg_sid"?: string;
          "meta"?: NonNullable<Json>;
          "occurred_at"?: string;
          "parent_call_sid"?: string | null;
          "path"?: Json | null;
          "received_at"?: string;
          "request_hash"?: number | null;
          "sequence_number"?: number | null;
          "status"?: string | null;
        };
        Relationships: [];
      };
      "call_logs": {
        Row: {
          "agent_served": boolean;
          "answered_at": string | null;
          "at_node": Json | null;
          "call_sid": string;
          "connected_at": string | null;
          "consent_given": boolean | null;
          "consent_order": number;
          "created_at": string;
          "dialled": boolean;
          "direction": string;
          "disposition": string | null;
          "duration_sec": number | null;
          "end_fetched": boolean;
          "ended_at": string | null;
          "flow_version": number | null;
          "from_e164": string | null;
          "handoff": boolean;
          "handoff_reason": string | null;
          "incomplete": boolean;
          "last_step": string | null;
          "last_step_at": string | null;
          "line": string | null;
          "mode": string;
          "mode_turn": number;
          "org_id": string | null;
          "party": string | null;
          "rang_at": string | null;
          "rate_limited": boolean;
          "recorded_at": string | null;
          "recording_duration_sec": number | null;
          "recording_sid": string | null;
          "recording_source": string | null;
          "recording_url": string | null;
          "settled": boolean;
          "started_at": string;
          "status": Database["public"]["Enums"]["call_status"];
          "to_e164": string | null;
          "transcript": string | null;
          "updated_at": string;
          "blocked_number": boolean | null;
          "came_callable": boolean | null;
          "may_promise": boolean | null;
          "owe_missed_call": undefined | null;
          "was_missed": boolean | null;
        };
        ComputedFields:
          | "blocked_number"
          | "came_callable"
          | "may_promise"
          | "owe_missed_call"
          | "was_missed";
        Insert: {
          "agent_served"?: boolean;
          "answered_at"?: string | null;
          "at_node"?: Json | null;
          "call_sid": string;
          "connected_at"?: string | null;
          "consent_given"?: boolean | null;
          "consent_order"?: number;
          "created_at"?: string;
          "dialled"?: boolean;
          "direction"?: string;
          "disposition"?: never;
          "duration_sec"?: number | null;
          "end_fetched"?: boolean;
          "ended_at"?: string | null;
          "flow_version"?: number | null;
          "from_e164"?: string | null;
          "handoff"?: boolean;
          "handoff_reason"?: string | null;
          "incomplete"?: never;
          "last_step"?: string | null;
          "last_step_at"?: string | null;
          "line"?: never;
          "mode"?: string;
          "mode_turn"?: number;
          "org_id"?: string | null;
          "party"?: never;
          "rang_at"?: string | null;
          "rate_limited"?: boolean;
          "recorded_at"?: string | null;
          "recording_duration_sec"?: number | null;
          "recording_sid"?: string | null;
          "recording_source"?: string | null;
          "recording_url"?: string | null;
          "settled"?: boolean;
          "started_at": string;
          "status"?: Database["public"]["Enums"]["call_status"];
          "to_e164"?: string | null;
          "transcript"?: string | null;
          "updated_at"?: string;
        };
        Update: {
          "agent_served"?: boolean;
          "answered_at"?: string | null;
          "at_node"?: Json | null;
          "call_sid"?: string;
          "connected_at"?: string | null;
          "consent_given"?: boolean | null;
          "consent_order"?: number;
          "created_at"?: string;
          "dialled"?: boolean;
          "direction"?: string;
          "disposition"?: never;
          "duration_sec"?: number | null;
          "end_fetched"?: boolean;
          "ended_at"?: string | null;
          "flow_version"?: number | null;
          "from_e164"?: string | null;
          "handoff"?: boolean;
          "handoff_reason"?: string | null;
          "incomplete"?: never;
          "last_step"?: string | null;
          "last_step_at"?: string | null;
          "line"?: never;
          "mode"?: string;
          "mode_turn"?: number;
          "org_id"?: string | null;
          "party"?: never;
          "rang_at"?: string | null;
          "rate_limited"?: boolean;
          "recorded_at"?: string | null;
          "recording_duration_sec"?: number | null;
          "recording_sid"?: string | null;
          "recording_source"?: string | null;
          "recording_url"?: string | null;
          "settled"?: boolean;
          "started_at"?: string;
          "status"?: Database["public"]["Enums"]["call_status"];
          "to_e164"?: string | null;
          "transcript"?: string | null;
          "updated_at"?: string;
        };
        Relationships: [];
      };
      "call_notes": {
        Row: {
          "author": string | null;
          "body": string;
          "call_sid": string;
          "created_at": string;
          "id": string;
          "org_id": string | null;
          "owner": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "author"?: string | null;
          "body": string;
          "call_sid": string;
          "created_at"?: string;
          "id"?: string;
          "org_id"?: string | null;
          "owner"?: never;
          "updated_at"?: string;
        };
        Update: {
          "author"?: string | null;
          "body"?: string;
          "call_sid"?: string;
          "created_at"?: string;
          "id"?: string;
          "org_id"?: string | null;
          "owner"?: never;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "call_notes_of_call";
            columns: ["call_sid"];
            isOneToOne: false;
            referencedRelation: "active_calls";
            referencedColumns: ["call_sid"];
          },
          {
            foreignKeyName: "call_notes_of_call";
            columns: ["call_sid"];
            isOneToOne: false;
            referencedRelation: "call_logs";
            referencedColumns: ["call_sid"];
          },
          {
            foreignKeyName: "call_notes_of_call";
            columns: ["call_sid"];
            isOneToOne: false;
            referencedRelation: "ivr_sessions";
            referencedColumns: ["session_id"];
          },
          {
            foreignKeyName: "call_notes_of_call";
            columns: ["call_sid"];
            isOneToOne: false;
            referencedRelation: "missed_calls";
            referencedColumns: ["call_sid"];
          },
        ];
      };
      "call_tags": {
        Row: {
          "author": string | null;
          "call_sid": string;
          "created_at": string;
          "org_id": string | null;
          "owner": string;
          "tag": string;
        };
        ComputedFields: never;
        Insert: {
          "author"?: string | null;
          "call_sid": string;
          "created_at"?: string;
          "org_id"?: string | null;
          "owner"?: never;
          "tag": string;
        };
        Update: {
          "author"?: string | null;
          "call_sid"?: string;
          "created_at"?: string;
          "org_id"?: string | null;
          "owner"?: never;
          "tag"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "call_tags_of_call";
            columns: ["call_sid"];
            isOneToOne: false;
            referencedRelation: "active_calls";
            referencedColumns: ["call_sid"];
          },
          {
            foreignKeyName: "call_tags_of_call";
            columns: ["call_sid"];
            isOneToOne: false;
            referencedRelation: "call_logs";
            referencedColumns: ["call_sid"];
          },
          {
            foreignKeyName: "call_tags_of_call";
            columns: ["call_sid"];
            isOneToOne: false;
            referencedRelation: "ivr_sessions";
            referencedColumns: ["session_id"];
          },
          {
            foreignKeyName: "call_tags_of_call";
            columns: ["call_sid"];
            isOneToOne: false;
            referencedRelation: "missed_calls";
            referencedColumns: ["call_sid"];
          },
        ];
      };
      "call_tokens": {
        Row: {
          "call_sid": string;
          "kept_at": string;
          "token": string;
        };
        ComputedFields: never;
        Insert: {
          "call_sid": string;
          "kept_at"?: string;
          "token": string;
        };
        Update: {
          "call_sid"?: string;
          "kept_at"?: string;
          "token"?: string;
        };
        Relationships: [];
      };
      "callbacks": {
        Row: {
          "calendar": NonNullable<Json>;
          "call_sid": string;
          "due_at": string;
          "ended_at": string | null;
          "group_name": string;
          "id": string;
          "line": string;
          "max_tries": number;
          "members": (string)[];
          "node": string;
          "org_id": string | null;
          "owner": string;
          "promised_at": string;
          "queued_at": string;
          "ready": boolean;
          "seconds": number;
          "state": string;
          "to_e164": string;
          "tries": number;
          "version_id": number;
          "why": string | null;
          "promise_open": boolean | null;
        };
        ComputedFields: "promise_open";
        Insert: {
          "calendar": NonNullable<Json>;
          "call_sid": string;
          "due_at"?: string;
          "ended_at"?: string | null;
          "group_name": string;
          "id"?: string;
          "line": string;
          "max_tries"?: number;
          "members": (string)[];
          "node": string;
          "org_id"?: string | null;
          "owner"?: never;
          "promised_at"?: string;
          "queued_at": string;
          "ready"?: boolean;
          "seconds": number;
          "state"?: string;
          "to_e164": string;
          "tries"?: number;
          "version_id": number;
          "why"?: string | null;
        };
        Update: {
          "calendar"?: NonNullable<Json>;
          "call_sid"?: string;
          "due_at"?: string;
          "ended_at"?: string | null;
          "group_name"?: string;
          "id"?: string;
          "line"?: string;
          "max_tries"?: number;
          "members"?: (string)[];
          "node"?: string;
          "org_id"?: string | null;
          "owner"?: never;
          "promised_at"?: string;
          "queued_at"?: string;
          "ready"?: boolean;
          "seconds"?: number;
          "state"?: string;
          "to_e164"?: string;
          "tries"?: number;
          "version_id"?: number;
          "why"?: string | null;
        };
        Relationships: [];
      };
      "campaign_areas": {
        Row: {
          "campaign_id": string;
          "closes_at": string | null;
          "id": number;
          "opens_at": string | null;
          "region": string;
          "rules": string;
          "zones": (string)[];
        };
        ComputedFields: never;
        Insert: {
          "campaign_id": string;
          "closes_at"?: string | null;
          "id"?: never;
          "opens_at"?: string | null;
          "region": string;
          "rules": string;
          "zones": (string)[];
        };
        Update: {
          "campaign_id"?: string;
          "closes_at"?: string | null;
          "id"?: never;
          "opens_at"?: string | null;
          "region"?: string;
          "rules"?: string;
          "zones"?: (string)[];
        };
        Relationships: [
          {
            foreignKeyName: "campaign_areas_campaign_id_fkey";
            columns: ["campaign_id"];
            isOneToOne: false;
            referencedRelation: "campaign_live";
            referencedColumns: ["campaign_id"];
          },
          {
            foreignKeyName: "campaign_areas_campaign_id_fkey";
            columns: ["campaign_id"];
            isOneToOne: false;
            referencedRelation: "campaigns";
            referencedColumns: ["id"];
          },
        ];
      };
      "campaign_changes": {
        Row: {
          "campaign_id": string;
          "change": number;
          "figure": string;
          "id": number;
        };
        ComputedFields: never;
        Insert: {
          "campaign_id": string;
          "change": number;
          "figure": string;
          "id"?: never;
        };
        Update: {
          "campaign_id"?: string;
          "change"?: number;
          "figure"?: string;
          "id"?: never;
        };
        Relationships: [
          {
            foreignKeyName: "campaign_changes_campaign_id_fkey";
            columns: ["campaign_id"];
            isOneToOne: false;
            referencedRelation: "campaign_live";
            referencedColumns: ["campaign_id"];
          },
          {
            foreignKeyName: "campaign_changes_campaign_id_fkey";
            columns: ["campaign_id"];
            isOneToOne: false;
            referencedRelation: "campaigns";
            referencedColumns: ["id"];
          },
        ];
      };
      "campaign_contacts": {
        Row: {
          "area_id": number;
          "campaign_id": string;
          "consent_at": string | null;
          "consent_source": string | null;
          "due_at": string | null;
          "e164": string;
          "ends": (string)[];
          "id": number;
          "name": string | null;
          "owner": string;
          "postal_code": string | null;
          "state": string;
          "tries": number;
        };
        ComputedFields: never;
        Insert: {
          "area_id": number;
          "campaign_id": string;
          "consent_at"?: string | null;
          "consent_source"?: string | null;
          "due_at"?: string | null;
          "e164": string;
          "ends"?: (string)[];
          "id"?: never;
          "name"?: string | null;
          "owner": string;
          "postal_code"?: string | null;
          "state"?: string;
          "tries"?: number;
        };
        Update: {
          "area_id"?: number;
          "campaign_id"?: string;
          "consent_at"?: string | null;
          "consent_source"?: string | null;
          "due_at"?: string | null;
          "e164"?: string;
          "ends"?: (string)[];
          "id"?: never;
          "name"?: string | null;
          "owner"?: string;
          "postal_code"?: string | null;
          "state"?: string;
          "tries"?: number;
        };
        Relationships: [
          {
            foreignKeyName: "campaign_contacts_area_id_fkey";
            columns: ["area_id"];
            isOneToOne: false;
            referencedRelation: "campaign_areas";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "campaign_contacts_campaign_id_fkey";
            columns: ["campaign_id"];
            isOneToOne: false;
            referencedRelation: "campaign_live";
            referencedColumns: ["campaign_id"];
          },
          {
            foreignKeyName: "campaign_contacts_campaign_id_fkey";
            columns: ["campaign_id"];
            isOneToOne: false;
            referencedRelation: "campaigns";
            referencedColumns: ["id"];
          },
        ];
      };
      "campaign_dials": {
        Row: {
          "answered_at": string | null;
          "campaign_id": string;
          "consent": string;
          "consent_at": string | null;
          "dialled_at": string;
          "ended_at": string;
          "id": number;
          "line": string;
          "number_hash": string;
          "owner": string;
          "region": string;
          "result": string;
          "rules": string;
          "zones": (string)[];
        };
        ComputedFields: never;
        Insert: {
          "answered_at"?: string | null;
          "campaign_id": string;
          "consent": string;
          "consent_at"?: string | null;
          "dialled_at": string;
          "ended_at": string;
          "id"?: never;
          "line": string;
          "number_hash": string;
          "owner": string;
          "region": string;
          "result": string;
          "rules": string;
          "zones": (string)[];
        };
        Update: {
          "answered_at"?: string | null;
          "campaign_id"?: string;
          "consent"?: string;
          "consent_at"?: string | null;
          "dialled_at"?: string;
          "ended_at"?: string;
          "id"?: never;
          "line"?: string;
          "number_hash"?: string;
          "owner"?: string;
          "region"?: string;
          "result"?: string;
          "rules"?: string;
          "zones"?: (string)[];
        };
        Relationships: [
          {
            foreignKeyName: "campaign_dials_campaign_id_fkey";
            columns: ["campaign_id"];
            isOneToOne: false;
            referencedRelation: "campaign_live";
            referencedColumns: ["campaign_id"];
          },
          {
            foreignKeyName: "campaign_dials_campaign_id_fkey";
            columns: ["campaign_id"];
            isOneToOne: false;
            referencedRelation: "campaigns";
            referencedColumns: ["id"];
          },
        ];
      };
      "campaign_lines": {
        Row: {
          "campaign_id": string;
          "day": string;
          "dialled": number;
          "line": string;
          "per_day": number;
          "rests_until": string | null;
        };
        ComputedFields: never;
        Insert: {
          "campaign_id": string;
          "day"?: string;
          "dialled"?: number;
          "line": string;
          "per_day"?: number;
          "rests_until"?: string | null;
        };
        Update: {
          "campaign_id"?: string;
          "day"?: string;
          "dialled"?: number;
          "line"?: string;
          "per_day"?: number;
          "rests_until"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "campaign_lines_campaign_id_fkey";
            columns: ["campaign_id"];
            isOneToOne: false;
            referencedRelation: "campaign_live";
            referencedColumns: ["campaign_id"];
          },
          {
            foreignKeyName: "campaign_lines_campaign_id_fkey";
            columns: ["campaign_id"];
            isOneToOne: false;
            referencedRelation: "campaigns";
            referencedColumns: ["id"];
          },
        ];
      };
      "campaigns": {
        Row: {
          "attempts": NonNullable<Json>;
          "calls_per_second": number;
          "consent": string;
          "created_at": string;
          "ended_at": string | null;
          "flow": string;
          "id": string;
          "machine": string;
          "max_concurrent": number;
          "max_minutes": number | null;
          "mode": string;
          "name": string;
          "org_id": string | null;
          "owner": string;
          "paused_because": string | null;
          "ring_seconds": number;
          "started_at": string | null;
          "starts_at": string | null;
          "state": string;
          "window_hours": Json | null;
        };
        ComputedFields: never;
        Insert: {
          "attempts": NonNullable<Json>;
          "calls_per_second": number;
          "consent": string;
          "created_at"?: string;
          "ended_at"?: string | null;
          "flow": string;
          "id"?: string;
          "machine": string;
          "max_concurrent": number;
          "max_minutes"?: number | null;
          "mode": string;
          "name": string;
          "org_id"?: string | null;
          "owner"?: never;
          "paused_because"?: string | null;
          "ring_seconds"?: number;
          "started_at"?: string | null;
          "starts_at"?: string | null;
          "state"?: string;
          "window_hours"?: Json | null;
        };
        Update: {
          "attempts"?: NonNullable<Json>;
          "calls_per_second"?: number;
          "consent"?: string;
          "created_at"?: string;
          "ended_at"?: string | null;
          "flow"?: string;
          "id"?: string;
          "machine"?: string;
          "max_concurrent"?: number;
          "max_minutes"?: number | null;
          "mode"?: string;
          "name"?: string;
          "org_id"?: string | null;
          "owner"?: never;
          "paused_because"?: string | null;
          "ring_seconds"?: number;
          "started_at"?: string | null;
          "starts_at"?: string | null;
          "state"?: string;
          "window_hours"?: Json | null;
        };
        Relationships: [];
      };
      "consent_evidence": {
        Row: {
          "basis": NonNullable<Json>;
          "call_hash": string;
          "consent_given": boolean;
          "decided_at": string;
          "disclosure": string | null;
          "org_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "basis": NonNullable<Json>;
          "call_hash": string;
          "consent_given": boolean;
          "decided_at": string;
          "disclosure"?: string | null;
          "org_id"?: string | null;
        };
        Update: {
          "basis"?: NonNullable<Json>;
          "call_hash"?: string;
          "consent_given"?: boolean;
          "decided_at"?: string;
          "disclosure"?: string | null;
          "org_id"?: string | null;
        };
        Relationships: [];
      };
      "contact_messages": {
        Row: {
          "created_at": string;
          "email": string;
          "handled_at": string | null;
          "id": string;
          "message": string;
          "name": string;
          "phone": string | null;
          "subject": string | null;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "email": string;
          "handled_at"?: string | null;
          "id"?: string;
          "message": string;
          "name": string;
          "phone"?: string | null;
          "subject"?: string | null;
        };
        Update: {
          "created_at"?: string;
          "email"?: string;
          "handled_at"?: string | null;
          "id"?: string;
          "message"?: string;
          "name"?: string;
          "phone"?: string | null;
          "subject"?: string | null;
        };
        Relationships: [];
      };
      "contacts": {
        Row: {
          "bare": boolean;
          "blocked": boolean;
          "company": string | null;
          "consent": boolean | null;
          "consent_at": string | null;
          "consent_source": string | null;
          "created_at": string;
          "id": string;
          "name": string | null;
          "notes": string | null;
          "org_id": string | null;
          "owner": string;
          "phone": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "bare"?: never;
          "blocked"?: boolean;
          "company"?: string | null;
          "consent"?: boolean | null;
          "consent_at"?: string | null;
          "consent_source"?: string | null;
          "created_at"?: string;
          "id"?: string;
          "name"?: string | null;
          "notes"?: string | null;
          "org_id"?: string | null;
          "owner"?: never;
          "phone": string;
          "updated_at"?: string;
        };
        Update: {
          "bare"?: never;
          "blocked"?: boolean;
          "company"?: string | null;
          "consent"?: boolean | null;
          "consent_at"?: string | null;
          "consent_source"?: string | null;
          "created_at"?: string;
          "id"?: string;
          "name"?: string | null;
          "notes"?: string | null;
          "org_id"?: string | null;
          "owner"?: never;
          "phone"?: string;
          "updated_at"?: string;
        };
        Relationships: [];
      };
      "dial_attempts": {
        Row: {
          "accepted_at": string | null;
          "answered_at": string | null;
          "call_sid": string | null;
          "callback_id": string | null;
          "campaign_id": string | null;
          "cancelled_at": string | null;
          "connected_at": string | null;
          "contact_id": number | null;
          "decided_at": string;
          "dialled_at": string | null;
          "ended_at": string | null;
          "group_name": string | null;
          "id": number;
          "leg_sid": string | null;
          "line": string;
          "node": string | null;
          "org_id": string | null;
          "owner": string;
          "person_id": string | null;
          "purpose": string;
          "queue": string | null;
          "result": string | null;
          "seconds": number;
          "send_at": string | null;
          "slot": number | null;
          "state": string;
          "to_e164": string;
          "token": string;
          "transfer": string | null;
          "version_id": number | null;
          "contact_stands": undefined | null;
          "may_transfer": boolean | null;
        };
        ComputedFields: "contact_stands" | "may_transfer";
        Insert: {
          "accepted_at"?: string | null;
          "answered_at"?: string | null;
          "call_sid"?: string | null;
          "callback_id"?: string | null;
          "campaign_id"?: string | null;
          "cancelled_at"?: string | null;
          "connected_at"?: string | null;
          "contact_id"?: number | null;
          "decided_at"?: string;
          "dialled_at"?: string | null;
          "ended_at"?: string | null;
          "group_name"?: string | null;
          "id"?: never;
          "leg_sid"?: string | null;
          "line": string;
          "node"?: string | null;
          "org_id"?: string | null;
          "owner"?: never;
          "person_id"?: string | null;
          "purpose": string;
          "queue"?: string | null;
          "result"?: string | null;
          "seconds": number;
          "send_at"?: string | null;
          "slot"?: number | null;
          "state"?: string;
          "to_e164": string;
          "token"?: string;
          "transfer"?: string | null;
          "version_id"?: number | null;
        };
        Update: {
          "accepted_at"?: string | null;
          "answered_at"?: string | null;
          "call_sid"?: string | null;
          "callback_id"?: string | null;
          "campaign_id"?: string | null;
          "cancelled_at"?: string | null;
          "connected_at"?: string | null;
          "contact_id"?: number | null;
          "decided_at"?: string;
          "dialled_at"?: string | null;
          "ended_at"?: string | null;
          "group_name"?: string | null;
          "id"?: never;
          "leg_sid"?: string | null;
          "line"?: string;
          "node"?: string | null;
          "org_id"?: string | null;
          "owner"?: never;
          "person_id"?: string | null;
          "purpose"?: string;
          "queue"?: string | null;
          "result"?: string | null;
          "seconds"?: number;
          "send_at"?: string | null;
          "slot"?: number | null;
          "state"?: string;
          "to_e164"?: string;
          "token"?: string;
          "transfer"?: string | null;
          "version_id"?: number | null;
        };
        Relationships: [
          {
            foreignKeyName: "dial_attempts_callback_id_fkey";
            columns: ["callback_id"];
            isOneToOne: false;
            referencedRelation: "callbacks";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "dial_attempts_callback_id_fkey";
            columns: ["callback_id"];
            isOneToOne: false;
            referencedRelation: "callbacks_due";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "dial_attempts_campaign_id_fkey";
            columns: ["campaign_id"];
            isOneToOne: false;
            referencedRelation: "campaign_live";
            referencedColumns: ["campaign_id"];
          },
          {
            foreignKeyName: "dial_attempts_campaign_id_fkey";
            columns: ["campaign_id"];
            isOneToOne: false;
            referencedRelation: "campaigns";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "dial_attempts_contact_id_fkey";
            columns: ["contact_id"];
            isOneToOne: false;
            referencedRelation: "campaign_contacts";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "dial_attempts_person_id_fkey";
            columns: ["person_id"];
            isOneToOne: false;
            referencedRelation: "people";
            referencedColumns: ["id"];
          },
        ];
      };
      "dial_rates": {
        Row: {
          "at_most": number | null;
          "not_before": string;
          "owner": string;
          "per_second": number;
        };
        ComputedFields: never;
        Insert: {
          "at_most"?: number | null;
          "not_before"?: string;
          "owner": string;
          "per_second": number;
        };
        Update: {
          "at_most"?: number | null;
          "not_before"?: string;
          "owner"?: string;
          "per_second"?: number;
        };
        Relationships: [];
      };
      "dialled_time": {
        Row: {
          "ceiling_sec": number | null;
          "day": string;
          "leg_sec": number | null;
          "line": string;
          "open": number;
          "org_id": string;
          "seconds": number;
        };
        ComputedFields: never;
        Insert: {
          "ceiling_sec"?: number | null;
          "day": string;
          "leg_sec"?: number | null;
          "line": string;
          "open"?: number;
          "org_id"?: string;
          "seconds"?: number;
        };
        Update: {
          "ceiling_sec"?: number | null;
          "day"?: string;
          "leg_sec"?: number | null;
          "line"?: string;
          "open"?: number;
          "org_id"?: string;
          "seconds"?: number;
        };
        Relationships: [];
      };
      "disclosures": {
        Row: {
          "first_heard_at": string;
          "key": string;
          "language": string;
          "name": string;
          "policy": string;
          "words": string;
        };
        ComputedFields: never;
        Insert: {
          "first_heard_at"?: string;
          "key": string;
          "language": string;
          "name": string;
          "policy": string;
          "words": string;
        };
        Update: {
          "first_heard_at"?: string;
          "key"?: string;
          "language"?: string;
          "name"?: string;
          "policy"?: string;
          "words"?: string;
        };
        Relationships: [];
      };
      "erased_calls": {
        Row: {
          "call_hash": string;
          "erased_at": string;
        };
        ComputedFields: never;
        Insert: {
          "call_hash": string;
          "erased_at"?: string;
        };
        Update: {
          "call_hash"?: string;
          "erased_at"?: string;
        };
        Relationships: [];
      };
      "erasure_receipts": {
        Row: {
          "counts": NonNullable<Json>;
          "erased_at": string;
          "id": string;
        };
        ComputedFields: never;
        Insert: {
          "counts": NonNullable<Json>;
          "erased_at"?: string;
          "id"?: string;
        };
        Update: {
          "counts"?: NonNullable<Json>;
          "erased_at"?: string;
          "id"?: string;
        };
        Relationships: [];
      };
      "flow_counts": {
        Row: {
          "calls": number;
          "id": number;
          "node": string;
          "outcome": string | null;
          "version_id": number;
        };
        ComputedFields: never;
        Insert: {
          "calls": number;
          "id"?: never;
          "node": string;
          "outcome"?: string | null;
          "version_id": number;
        };
        Update: {
          "calls"?: number;
          "id"?: never;
          "node"?: string;
          "outcome"?: string | null;
          "version_id"?: number;
        };
        Relationships: [
          {
            foreignKeyName: "flow_counts_version_id_fkey";
            columns: ["version_id"];
            isOneToOne: false;
            referencedRelation: "call_flow_versions";
            referencedColumns: ["id"];
          },
        ];
      };
      "flow_counts_until": {
        Row: {
          "is_only": boolean;
          "until": string;
        };
        ComputedFields: never;
        Insert: {
          "is_only"?: boolean;
          "until": string;
        };
        Update: {
          "is_only"?: boolean;
          "until"?: string;
        };
        Relationships: [];
      };
      "function_metrics": {
        Row: {
          "database_failures": number;
          "database_ms": number;
          "errors": number;
          "function": string;
          "le_100": number;
          "le_1000": number;
          "le_2000": number;
          "le_250": number;
          "le_50": number;
          "le_500": number;
          "le_5000": number;
          "max_ms": number;
          "minute": string;
          "refused": number;
          "requests": number;
          "total_ms": number;
        };
        ComputedFields: never;
        Insert: {
          "database_failures": number;
          "database_ms": number;
          "errors": number;
          "function": string;
          "le_100": number;
          "le_1000": number;
          "le_2000": number;
          "le_250": number;
          "le_50": number;
          "le_500": number;
          "le_5000": number;
          "max_ms": number;
          "minute": string;
          "refused": number;
          "requests": number;
          "total_ms": number;
        };
        Update: {
          "database_failures"?: number;
          "database_ms"?: number;
          "errors"?: number;
          "function"?: string;
          "le_100"?: number;
          "le_1000"?: number;
          "le_2000"?: number;
          "le_250"?: number;
          "le_50"?: number;
          "le_500"?: number;
          "le_5000"?: number;
          "max_ms"?: number;
          "minute"?: string;
          "refused"?: number;
          "requests"?: number;
          "total_ms"?: number;
        };
        Relationships: [];
      };
      "function_totals": {
        Row: {
          "database_failures": number;
          "errors": number;
          "function": string;
          "le_100": number;
          "le_1000": number;
          "le_2000": number;
          "le_250": number;
          "le_50": number;
          "le_500": number;
          "le_5000": number;
          "refused": number;
          "requests": number;
          "total_ms": number;
        };
        ComputedFields: never;
        Insert: {
          "database_failures": number;
          "errors": number;
          "function": string;
          "le_100": number;
          "le_1000": number;
          "le_2000": number;
          "le_250": number;
          "le_50": number;
          "le_500": number;
          "le_5000": number;
          "refused": number;
          "requests": number;
          "total_ms": number;
        };
        Update: {
          "database_failures"?: number;
          "errors"?: number;
          "function"?: string;
          "le_100"?: number;
          "le_1000"?: number;
          "le_2000"?: number;
          "le_250"?: number;
          "le_50"?: number;
          "le_500"?: number;
          "le_5000"?: number;
          "refused"?: number;
          "requests"?: number;
          "total_ms"?: number;
        };
        Relationships: [];
      };
      "health_checks": {
        Row: {
          "checked_at": string;
          "failing": (string)[];
          "healthy": boolean;
          "refused_calls": number | null;
        };
        ComputedFields: never;
        Insert: {
          "checked_at"?: string;
          "failing"?: (string)[];
          "healthy": boolean;
          "refused_calls"?: number | null;
        };
        Update: {
          "checked_at"?: string;
          "failing"?: (string)[];
          "healthy"?: boolean;
          "refused_calls"?: number | null;
        };
        Relationships: [];
      };
      "idempotency_keys": {
        Row: {
          "created_at": string;
          "expires_at": string;
          "key": string;
          "operation": string;
          "request_hash": string;
          "result": Json | null;
          "status": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "expires_at": string;
          "key": string;
          "operation": string;
          "request_hash": string;
          "result"?: Json | null;
          "status": string;
        };
        Update: {
          "created_at"?: string;
          "expires_at"?: string;
          "key"?: string;
          "operation"?: string;
          "request_hash"?: string;
          "result"?: Json | null;
          "status"?: string;
        };
        Relationships: [];
      };
      "job_kinds": {
        Row: {
          "delays": (string)[];
          "expires_after": string | null;
          "fixes_content": boolean;
          "held_for": string | null;
          "held_until": string | null;
          "hourly_share": number | null;
          "keep": string | null;
          "key_lives": string | null;
          "kind": string;
          "lease": string;
          "longest_hold": string | null;
          "max_attempts": number | null;
          "priority": number;
          "share": number;
          "worker": string;
        };
        ComputedFields: never;
        Insert: {
          "delays": (string)[];
          "expires_after"?: string | null;
          "fixes_content"?: boolean;
          "held_for"?: string | null;
          "held_until"?: string | null;
          "hourly_share"?: number | null;
          "keep"?: string | null;
          "key_lives"?: string | null;
          "kind": string;
          "lease": string;
          "longest_hold"?: string | null;
          "max_attempts"?: number | null;
          "priority": number;
          "share"?: number;
          "worker": string;
        };
        Update: {
          "delays"?: (string)[];
          "expires_after"?: string | null;
          "fixes_content"?: boolean;
          "held_for"?: string | null;
          "held_until"?: string | null;
          "hourly_share"?: number | null;
          "keep"?: string | null;
          "key_lives"?: string | null;
          "kind"?: string;
          "lease"?: string;
          "longest_hold"?: string | null;
          "max_attempts"?: number | null;
          "priority"?: number;
          "share"?: number;
          "worker"?: string;
        };
        Relationships: [];
      };
      "jobs": {
        Row: {
          "attempted_at": string | null;
          "attempts": number;
          "content": Json | null;
          "created_at": string;
          "ended_at": string | null;
          "id": number;
          "key": string;
          "kind": string;
          "last_error": string | null;
          "lease": string | null;
          "payload": NonNullable<Json>;
          "priority": number;
          "result": string | null;
          "run_at": string;
          "status": string;
          "uncertain_since": string | null;
        };
        ComputedFields: never;
        Insert: {
          "attempted_at"?: string | null;
          "attempts"?: number;
          "content"?: Json | null;
          "created_at"?: string;
          "ended_at"?: string | null;
          "id"?: never;
          "key": string;
          "kind": string;
          "last_error"?: string | null;
          "lease"?: string | null;
          "payload"?: NonNullable<Json>;
          "priority"?: number;
          "result"?: string | null;
          "run_at"?: string;
          "status"?: string;
          "uncertain_since"?: string | null;
        };
        Update: {
          "attempted_at"?: string | null;
          "attempts"?: number;
          "content"?: Json | null;
          "created_at"?: string;
          "ended_at"?: string | null;
          "id"?: never;
          "key"?: string;
          "kind"?: string;
          "last_error"?: string | null;
          "lease"?: string | null;
          "payload"?: NonNullable<Json>;
          "priority"?: number;
          "result"?: string | null;
          "run_at"?: string;
          "status"?: string;
          "uncertain_since"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "jobs_kind_fkey";
            columns: ["kind"];
            isOneToOne: false;
            referencedRelation: "job_kinds";
            referencedColumns: ["kind"];
          },
          {
            foreignKeyName: "jobs_kind_fkey";
            columns: ["kind"];
            isOneToOne: false;
            referencedRelation: "job_lanes";
            referencedColumns: ["kind"];
          },
          {
            foreignKeyName: "jobs_kind_fkey";
            columns: ["kind"];
            isOneToOne: false;
            referencedRelation: "jobs_waiting";
            referencedColumns: ["kind"];
          },
        ];
      };
      "knowledge_entries": {
        Row: {
          "answer": string;
          "created_at": string;
          "fts": unknown;
          "id": string;
          "language": string;
          "org_id": string | null;
          "owner": string;
          "question": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "answer": string;
          "created_at"?: string;
          "fts"?: never;
          "id"?: string;
          "language"?: string;
          "org_id"?: string | null;
          "owner"?: never;
          "question": string;
          "updated_at"?: string;
        };
        Update: {
          "answer"?: string;
          "created_at"?: string;
          "fts"?: never;
          "id"?: string;
          "language"?: string;
          "org_id"?: string | null;
          "owner"?: never;
          "question"?: string;
          "updated_at"?: string;
        };
        Relationships: [];
      };
      "lines": {
        Row: {
          "flow_id": number;
          "id": number;
          "line": string;
          "org_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "flow_id": number;
          "id"?: never;
          "line": string;
          "org_id"?: string | null;
        };
        Update: {
          "flow_id"?: number;
          "id"?: never;
          "line"?: string;
          "org_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "lines_flow_id_fkey";
            columns: ["flow_id"];
            isOneToOne: false;
            referencedRelation: "call_flow_pointers";
            referencedColumns: ["flow_id"];
          },
          {
            foreignKeyName: "lines_of_own_number";
            columns: ["line", "org_id"];
            isOneToOne: true;
            referencedRelation: "number_provisioning_status";
            referencedColumns: ["e164_number", "org_id"];
          },
          {
            foreignKeyName: "lines_of_own_number";
            columns: ["line", "org_id"];
            isOneToOne: true;
            referencedRelation: "telephony_numbers";
            referencedColumns: ["e164_number", "org_id"];
          },
        ];
      };
      "members": {
        Row: {
          "email": string;
          "id": string;
          "invited_at": string;
          "invited_by": string | null;
          "joined_at": string | null;
          "name": string | null;
          "org_id": string | null;
          "owner": string;
          "role": Database["public"]["Enums"]["member_role"];
          "user_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "email": string;
          "id"?: string;
          "invited_at"?: string;
          "invited_by"?: string | null;
          "joined_at"?: string | null;
          "name"?: string | null;
          "org_id"?: string | null;
          "owner"?: never;
          "role": Database["public"]["Enums"]["member_role"];
          "user_id"?: string | null;
        };
        Update: {
          "email"?: string;
          "id"?: string;
          "invited_at"?: string;
          "invited_by"?: string | null;
          "joined_at"?: string | null;
          "name"?: string | null;
          "org_id"?: string | null;
          "owner"?: never;
          "role"?: Database["public"]["Enums"]["member_role"];
          "user_id"?: string | null;
        };
        Relationships: [];
      };
      "people": {
        Row: {
          "available": boolean;
          "calendar": Json | null;
          "code": string | null;
          "created_at": string;
          "dnd_until": string | null;
          "handle": string;
          "id": string;
          "member_id": string | null;
          "name": string;
          "org_id": string | null;
          "phone": string;
          "verified_at": string | null;
          "person_available": boolean | null;
        };
        ComputedFields: "person_available";
        Insert: {
          "available"?: boolean;
          "calendar"?: Json | null;
          "code"?: string | null;
          "created_at"?: string;
          "dnd_until"?: string | null;
          "handle": string;
          "id"?: string;
          "member_id"?: string | null;
          "name": string;
          "org_id"?: string | null;
          "phone": string;
          "verified_at"?: string | null;
        };
        Update: {
          "available"?: boolean;
          "calendar"?: Json | null;
          "code"?: string | null;
          "created_at"?: string;
          "dnd_until"?: string | null;
          "handle"?: string;
          "id"?: string;
          "member_id"?: string | null;
          "name"?: string;
          "org_id"?: string | null;
          "phone"?: string;
          "verified_at"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "people_member_id_fkey";
            columns: ["member_id"];
            isOneToOne: false;
            referencedRelation: "members";
            referencedColumns: ["id"];
          },
        ];
      };
      "personal_data": {
        Row: {
          "expired": string | null;
          "exported_as": string | null;
          "kept_because": string | null;
          "of_person": string | null;
          "other": (string)[];
          "personal": (string)[];
          "rule": string | null;
          "table_name": string;
        };
        ComputedFields: never;
        Insert: {
          "expired"?: string | null;
          "exported_as"?: string | null;
          "kept_because"?: string | null;
          "of_person"?: string | null;
          "other"?: (string)[];
          "personal"?: (string)[];
          "rule"?: string | null;
          "table_name": string;
        };
        Update: {
          "expired"?: string | null;
          "exported_as"?: string | null;
          "kept_because"?: string | null;
          "of_person"?: string | null;
          "other"?: (string)[];
          "personal"?: (string)[];
          "rule"?: string | null;
          "table_name"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "personal_data_rule_fkey";
            columns: ["rule"];
            isOneToOne: false;
            referencedRelation: "retention_rules";
            referencedColumns: ["subject"];
          },
        ];
      };
      "prompts": {
        Row: {
          "bytes": number;
          "hash": string;
          "id": number;
          "mime": string;
          "org_id": string | null;
          "seconds": number;
          "stored_at": string;
          "stored_by": string | null;
        };
        ComputedFields: never;
        Insert: {
          "bytes": number;
          "hash": string;
          "id"?: never;
          "mime": string;
          "org_id"?: string | null;
          "seconds": number;
          "stored_at"?: string;
          "stored_by"?: string | null;
        };
        Update: {
          "bytes"?: number;
          "hash"?: string;
          "id"?: never;
          "mime"?: string;
          "org_id"?: string | null;
          "seconds"?: number;
          "stored_at"?: string;
          "stored_by"?: string | null;
        };
        Relationships: [];
      };
      "queue_entries": {
        Row: {
          "call_sid": string;
          "connected_at": string | null;
          "first_position": number;
          "group_name": string | null;
          "id": number;
          "leaving": string | null;
          "left_at": string | null;
          "line": string | null;
          "members": (string)[];
          "node": string;
          "org_id": string | null;
          "owner": string;
          "queue": string;
          "queued_at": string;
          "result": string | null;
          "returned_at": string | null;
          "returns_to": string | null;
          "seconds": number;
          "seen_at": string;
          "taken_at": string | null;
          "taken_by": string | null;
          "told_position": number | null;
          "transferred_by": string | null;
          "version_id": number;
        };
        ComputedFields: never;
        Insert: {
          "call_sid": string;
          "connected_at"?: string | null;
          "first_position"?: number;
          "group_name"?: string | null;
          "id"?: never;
          "leaving"?: string | null;
          "left_at"?: string | null;
          "line"?: string | null;
          "members": (string)[];
          "node": string;
          "org_id"?: string | null;
          "owner"?: never;
          "queue": string;
          "queued_at"?: string;
          "result"?: string | null;
          "returned_at"?: string | null;
          "returns_to"?: string | null;
          "seconds": number;
          "seen_at"?: string;
          "taken_at"?: string | null;
          "taken_by"?: string | null;
          "told_position"?: number | null;
          "transferred_by"?: string | null;
          "version_id": number;
        };
        Update: {
          "call_sid"?: string;
          "connected_at"?: string | null;
          "first_position"?: number;
          "group_name"?: string | null;
          "id"?: never;
          "leaving"?: string | null;
          "left_at"?: string | null;
          "line"?: string | null;
          "members"?: (string)[];
          "node"?: string;
          "org_id"?: string | null;
          "owner"?: never;
          "queue"?: string;
          "queued_at"?: string;
          "result"?: string | null;
          "returned_at"?: string | null;
          "returns_to"?: string | null;
          "seconds"?: number;
          "seen_at"?: string;
          "taken_at"?: string | null;
          "taken_by"?: string | null;
          "told_position"?: number | null;
          "transferred_by"?: string | null;
          "version_id"?: number;
        };
        Relationships: [];
      };
      "rate_limit_refusals": {
        Row: {
          "endpoint": string;
          "identifier": string;
          "identifier_type": string;
          "last_violation": string;
          "minute": string;
          "refusals": number;
        };
        ComputedFields: never;
        Insert: {
          "endpoint": string;
          "identifier": string;
          "identifier_type": string;
          "last_violation": string;
          "minute": string;
          "refusals"?: number;
        };
        Update: {
          "endpoint"?: string;
          "identifier"?: string;
          "identifier_type"?: string;
          "last_violation"?: string;
          "minute"?: string;
          "refusals"?: number;
        };
        Relationships: [];
      };
      "rate_limit_windows": {
        Row: {
          "admitted_at": (string)[];
          "endpoint": string;
          "identifier": string;
          "identifier_type": string;
        };
        ComputedFields: never;
        Insert: {
          "admitted_at": (string)[];
          "endpoint": string;
          "identifier": string;
          "identifier_type": string;
        };
        Update: {
          "admitted_at"?: (string)[];
          "endpoint"?: string;
          "identifier"?: string;
          "identifier_type"?: string;
        };
        Relationships: [];
      };
      "recordings": {
        Row: {
          "call_sid": string;
          "confirmed": boolean;
          "deleted_at": string | null;
          "duration_sec": number | null;
          "handled_at": string | null;
          "leg_sid": string;
          "recorded_at": string;
          "recording_sid": string;
          "source": string;
          "transcript": string | null;
          "url": string | null;
        };
        ComputedFields: never;
        Insert: {
          "call_sid": string;
          "confirmed"?: boolean;
          "deleted_at"?: string | null;
          "duration_sec"?: number | null;
          "handled_at"?: string | null;
          "leg_sid": string;
          "recorded_at": string;
          "recording_sid": string;
          "source": string;
          "transcript"?: string | null;
          "url"?: string | null;
        };
        Update: {
          "call_sid"?: string;
          "confirmed"?: boolean;
          "deleted_at"?: string | null;
          "duration_sec"?: number | null;
          "handled_at"?: string | null;
          "leg_sid"?: string;
          "recorded_at"?: string;
          "recording_sid"?: string;
          "source"?: string;
          "transcript"?: string | null;
          "url"?: string | null;
        };
        Relationships: [];
      };
      "retention_rules": {
        Row: {
          "days": number;
          "subject": string;
          "why": string;
        };
        ComputedFields: never;
        Insert: {
          "days": number;
          "subject": string;
          "why": string;
        };
        Update: {
          "days"?: number;
          "subject"?: string;
          "why"?: string;
        };
        Relationships: [];
      };
      "rolled_hours": {
        Row: {
          "hour": string;
          "rolled_at": string;
        };
        ComputedFields: never;
        Insert: {
          "hour": string;
          "rolled_at"?: string;
        };
        Update: {
          "hour"?: string;
          "rolled_at"?: string;
        };
        Relationships: [];
      };
      "saved_searches": {
        Row: {
          "created_at": string;
          "filters": NonNullable<Json>;
          "id": string;
          "name": string;
          "org_id": string | null;
          "owner": string;
          "query": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "filters"?: NonNullable<Json>;
          "id"?: string;
          "name": string;
          "org_id"?: string | null;
          "owner"?: never;
          "query"?: string;
          "user_id"?: string;
        };
        Update: {
          "created_at"?: string;
          "filters"?: NonNullable<Json>;
          "id"?: string;
          "name"?: string;
          "org_id"?: string | null;
          "owner"?: never;
          "query"?: string;
          "user_id"?: string;
        };
        Relationships: [];
      };
      "search_alert_matches": {
        Row: {
          "alert_id": string;
          "at": string;
          "call_sid": string | null;
          "kind": string;
          "ref": string;
        };
        ComputedFields: never;
        Insert: {
          "alert_id": string;
          "at"?: string;
          "call_sid"?: string | null;
          "kind": string;
          "ref": string;
        };
        Update: {
          "alert_id"?: string;
          "at"?: string;
          "call_sid"?: string | null;
          "kind"?: string;
          "ref"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "search_alert_matches_alert_id_fkey";
            columns: ["alert_id"];
            isOneToOne: false;
            referencedRelation: "search_alerts";
            referencedColumns: ["id"];
          },
        ];
      };
      "search_alerts": {
        Row: {
          "active": boolean;
          "channel": string;
          "created_at": string;
          "id": string;
          "kinds": (string)[] | null;
          "name": string;
          "org_id": string | null;
          "owner": string;
          "query": string;
          "secret": string | null;
          "target": string;
          "user_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "active"?: boolean;
          "channel": string;
          "created_at"?: string;
          "id"?: string;
          "kinds"?: (string)[] | null;
          "name": string;
          "org_id"?: string | null;
          "owner"?: never;
          "query": string;
          "secret"?: string | null;
          "target": string;
          "user_id"?: string | null;
        };
        Update: {
          "active"?: boolean;
          "channel"?: string;
          "created_at"?: string;
          "id"?: string;
          "kinds"?: (string)[] | null;
          "name"?: string;
          "org_id"?: string | null;
          "owner"?: never;
          "query"?: string;
          "secret"?: string | null;
          "target"?: string;
          "user_id"?: string | null;
        };
        Relationships: [];
      };
      "search_documents": {
        Row: {
          "at": string;
          "body": string;
          "call_sid": string | null;
          "end_ms": number | null;
          "fts": unknown;
          "id": number;
          "kind": string;
          "lang": string;
          "org_id": string | null;
          "owner": string;
          "part": number;
          "party": string | null;
          "ref": string;
          "speaker": string | null;
          "start_ms": number | null;
          "title": string | null;
          "embedded_text": string | null;
          "embedding_key": string | null;
          "owe_embedding": undefined | null;
        };
        ComputedFields: "embedded_text" | "embedding_key" | "owe_embedding";
        Insert: {
          "at": string;
          "body": string;
          "call_sid"?: string | null;
          "end_ms"?: number | null;
          "fts"?: never;
          "id"?: never;
          "kind": string;
          "lang": string;
          "org_id"?: string | null;
          "owner"?: never;
          "part"?: number;
          "party"?: string | null;
          "ref": string;
          "speaker"?: string | null;
          "start_ms"?: number | null;
          "title"?: string | null;
        };
        Update: {
          "at"?: string;
          "body"?: string;
          "call_sid"?: string | null;
          "end_ms"?: number | null;
          "fts"?: never;
          "id"?: never;
          "kind"?: string;
          "lang"?: string;
          "org_id"?: string | null;
          "owner"?: never;
          "part"?: number;
          "party"?: string | null;
          "ref"?: string;
          "speaker"?: string | null;
          "start_ms"?: number | null;
          "title"?: string | null;
        };
        Relationships: [];
      };
      "search_embeddings": {
        Row: {
          "document_id": number;
          "embedding": (number)[];
          "made_at": string;
          "model": string;
          "owner": string;
        };
        ComputedFields: never;
        Insert: {
          "document_id": number;
          "embedding": (number)[];
          "made_at"?: string;
          "model": string;
          "owner": string;
        };
        Update: {
          "document_id"?: number;
          "embedding"?: (number)[];
          "made_at"?: string;
          "model"?: string;
          "owner"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "search_embeddings_document_id_fkey";
            columns: ["document_id"];
            isOneToOne: true;
            referencedRelation: "search_documents";
            referencedColumns: ["id"];
          },
        ];
      };
      "search_history": {
        Row: {
          "at": string;
          "corrected": boolean;
          "filters": (string)[];
          "hits": number;
          "id": number;
          "milliseconds": number;
          "org_id": string | null;
          "owner": string;
          "partial": boolean;
          "user_id": string | null;
          "words": string | null;
        };
        ComputedFields: never;
        Insert: {
          "at"?: string;
          "corrected": boolean;
          "filters"?: (string)[];
          "hits": number;
          "id"?: never;
          "milliseconds": number;
          "org_id"?: string | null;
          "owner"?: never;
          "partial": boolean;
          "user_id"?: string | null;
          "words"?: string | null;
        };
        Update: {
          "at"?: string;
          "corrected"?: boolean;
          "filters"?: (string)[];
          "hits"?: number;
          "id"?: never;
          "milliseconds"?: number;
          "org_id"?: string | null;
          "owner"?: never;
          "partial"?: boolean;
          "user_id"?: string | null;
          "words"?: string | null;
        };
        Relationships: [];
      };
      "search_words": {
        Row: {
          "id": number;
          "owner": string;
          "word": string;
        };
        ComputedFields: never;
        Insert: {
          "id"?: never;
          "owner": string;
          "word": string;
        };
        Update: {
          "id"?: never;
          "owner"?: string;
          "word"?: string;
        };
        Relationships: [];
      };
      "suppressions": {
        Row: {
          "created_at": string;
          "e164": string;
          "id": number;
          "org_id": string | null;
          "source": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "e164": string;
          "id"?: never;
          "org_id"?: string | null;
          "source": string;
        };
        Update: {
          "created_at"?: string;
          "e164"?: string;
          "id"?: never;
          "org_id"?: string | null;
          "source"?: string;
        };
        Relationships: [];
      };
      "telephony_numbers": {
        Row: {
          "country": string;
          "e164_number": string;
          "number_sid": string;
          "org_id": string;
          "provisioned_at": string;
        };
        ComputedFields: never;
        Insert: {
          "country": string;
          "e164_number": string;
          "number_sid": string;
          "org_id": string;
          "provisioned_at"?: string;
        };
        Update: {
          "country"?: string;
          "e164_number"?: string;
          "number_sid"?: string;
          "org_id"?: string;
          "provisioned_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "telephony_numbers_org_id_fkey";
            columns: ["org_id"];
            isOneToOne: false;
            referencedRelation: "telephony_subaccounts";
            referencedColumns: ["org_id"];
          },
        ];
      };
      "telephony_secrets": {
        Row: {
          "sealed_token": string | null;
          "subaccount_sid": string;
          "updated_at": string;
          "vault_secret_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "sealed_token"?: string | null;
          "subaccount_sid": string;
          "updated_at"?: string;
          "vault_secret_id"?: string | null;
        };
        Update: {
          "sealed_token"?: string | null;
          "subaccount_sid"?: string;
          "updated_at"?: string;
          "vault_secret_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "telephony_secrets_subaccount_sid_fkey";
            columns: ["subaccount_sid"];
            isOneToOne: true;
            referencedRelation: "number_provisioning_status";
            referencedColumns: ["subaccount_sid"];
          },
          {
            foreignKeyName: "telephony_secrets_subaccount_sid_fkey";
            columns: ["subaccount_sid"];
            isOneToOne: true;
            referencedRelation: "telephony_subaccounts";
            referencedColumns: ["subaccount_sid"];
          },
        ];
      };
      "telephony_subaccounts": {
        Row: {
          "business_name": string;
          "created_at": string;
          "org_id": string;
          "released_at": string | null;
          "subaccount_sid": string;
        };
        ComputedFields: never;
        Insert: {
          "business_name": string;
          "created_at"?: string;
          "org_id": string;
          "released_at"?: string | null;
          "subaccount_sid": string;
        };
        Update: {
          "business_name"?: string;
          "created_at"?: string;
          "org_id"?: string;
          "released_at"?: string | null;
          "subaccount_sid"?: string;
        };
        Relationships: [];
      };
      "telephony_transactions": {
        Row: {
          "completed_at": string | null;
          "error_message": string | null;
          "id": string;
          "idempotency_key": string | null;
          "org_id": string;
          "request": Json | null;
          "result": Json | null;
          "started_at": string;
          "status": string;
          "steps_completed": NonNullable<Json>;
          "transaction_type": string;
          "undoing": boolean;
          "onboarding_work": Json | null;
        };
        ComputedFields: "onboarding_work";
        Insert: {
          "completed_at"?: string | null;
          "error_message"?: string | null;
          "id"?: string;
          "idempotency_key"?: string | null;
          "org_id": string;
          "request"?: Json | null;
          "result"?: Json | null;
          "started_at"?: string;
          "status"?: string;
          "steps_completed"?: NonNullable<Json>;
          "transaction_type": string;
          "undoing"?: boolean;
        };
        Update: {
          "completed_at"?: string | null;
          "error_message"?: string | null;
          "id"?: string;
          "idempotency_key"?: string | null;
          "org_id"?: string;
          "request"?: Json | null;
          "result"?: Json | null;
          "started_at"?: string;
          "status"?: string;
          "steps_completed"?: NonNullable<Json>;
          "transaction_type"?: string;
          "undoing"?: boolean;
        };
        Relationships: [];
      };
      "voicemail_steps": {
        Row: {
          "assigned_to": string | null;
          "at": string;
          "author": string | null;
          "call_sid": string;
          "id": number;
          "org_id": string | null;
          "owner": string;
          "recording_sid": string;
          "state": string;
        };
        ComputedFields: never;
        Insert: {
          "assigned_to"?: string | null;
          "at"?: string;
          "author"?: string | null;
          "call_sid": string;
          "id"?: never;
          "org_id"?: string | null;
          "owner"?: never;
          "recording_sid": string;
          "state": string;
        };
        Update: {
          "assigned_to"?: string | null;
          "at"?: string;
          "author"?: string | null;
          "call_sid"?: string;
          "id"?: never;
          "org_id"?: string | null;
          "owner"?: never;
          "recording_sid"?: string;
          "state"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "voicemail_steps_assigned_to_fkey";
            columns: ["assigned_to"];
            isOneToOne: false;
            referencedRelation: "people";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "voicemail_steps_recording";
            columns: ["call_sid", "recording_sid"];
            isOneToOne: false;
            referencedRelation: "recordings";
            referencedColumns: ["call_sid", "recording_sid"];
          },
          {
            foreignKeyName: "voicemail_steps_recording";
            columns: ["call_sid", "recording_sid"];
            isOneToOne: false;
            referencedRelation: "voicemail_backlog";
            referencedColumns: ["call_sid", "recording_sid"];
          },
          {
            foreignKeyName: "voicemail_steps_recording";
            columns: ["call_sid", "recording_sid"];
            isOneToOne: false;
            referencedRelation: "voicemails";
            referencedColumns: ["call_sid", "recording_sid"];
          },
        ];
      };
      "worker_runs": {
        Row: {
          "failures": number;
          "last_ok_at": string | null;
          "last_run_at": string;
          "runs": number;
          "worker": string;
        };
        ComputedFields: never;
        Insert: {
          "failures"?: number;
          "last_ok_at"?: string | null;
          "last_run_at": string;
          "runs"?: number;
          "worker": string;
        };
        Update: {
          "failures"?: number;
          "last_ok_at"?: string | null;
          "last_run_at"?: string;
          "runs"?: number;
          "worker"?: string;
        };
        Relationships: [];
      };
    };
    Views: {
      "active_calls": {
        Row: {
          "call_sid": string;
          "consent_given": boolean | null;
          "duration_seconds": number | null;
          "from_e164": string | null;
          "mode": string;
          "started_at": string;
          "status": Database["public"]["Enums"]["call_status"];
          "to_e164": string | null;
        };
        ComputedFields: never;
        Insert: {
          "call_sid"?: string | null;
          "consent_given"?: boolean | null;
          "duration_seconds"?: never;
          "from_e164"?: string | null;
          "mode"?: string | null;
          "started_at"?: string | null;
          "status"?: Database["public"]["Enums"]["call_status"] | null;
          "to_e164"?: string | null;
        };
        Update: {
          "call_sid"?: string | null;
          "consent_given"?: boolean | null;
          "duration_seconds"?: never;
          "from_e164"?: string | null;
          "mode"?: string | null;
          "started_at"?: string | null;
          "status"?: Database["public"]["Enums"]["call_status"] | null;
          "to_e164"?: string | null;
        };
        Relationships: [];
      };
      "agent_calls": {
        Row: {
          "agent_turns": number | null;
          "call_sid": string;
          "caller_turns": number | null;
          "cost_usd": number | null;
          "ended_at": string | null;
          "failures": number | null;
          "flow_version": number | null;
          "language": string | null;
          "line": string | null;
          "node": string;
          "org_id": string | null;
          "outcome": string | null;
          "reason": string | null;
          "seconds": number | null;
          "sessions": number | null;
          "started_at": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "agent_cost_by_day": {
        Row: {
          "answers": number | null;
          "cost_usd": number | null;
          "day": string | null;
          "line": string | null;
          "model": string | null;
          "org_id": string | null;
          "tokens_in": number | null;
          "tokens_out": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "agent_handoffs": {
        Row: {
          "accepted_at": string | null;
          "answered_at": string | null;
          "at": string;
          "call_sid": string;
          "department": string | null;
          "node": string;
          "org_id": string | null;
          "outcome": string | null;
          "reason": string | null;
          "result": string | null;
          "summary": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "agent_provider_health": {
        Row: {
          "answered_at": string | null;
          "answers_last_hour": number | null;
          "failed_at": string | null;
          "failures_in_a_row": number;
          "failures_last_hour": number | null;
          "first_token_p95_ms": number | null;
          "provider": string;
          "rests_until": string | null;
          "state": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "agent_turn_latency": {
        Row: {
          "answers": number | null;
          "first_token_max_ms": number | null;
          "first_token_p50_ms": number | null;
          "first_token_p95_ms": number | null;
          "hour": string | null;
          "model": string | null;
          "org_id": string | null;
          "provider": string | null;
          "total_p50_ms": number | null;
          "total_p95_ms": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "agent_unanswered_questions": {
        Row: {
          "asked": number | null;
          "call_sid": string | null;
          "first_at": string | null;
          "id": number | null;
          "language": string;
          "last_at": string | null;
          "org_id": string | null;
          "question": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "alert_history": {
        Row: {
          "alert": string;
          "closed_at": string | null;
          "closed_value": number | null;
          "id": number;
          "opened_at": string;
          "opened_value": number;
          "severity": string;
          "threshold": number;
          "undelivered": number | null;
        };
        ComputedFields: never;
        Insert: {
          "alert"?: string | null;
          "closed_at"?: string | null;
          "closed_value"?: number | null;
          "id"?: number | null;
          "opened_at"?: string | null;
          "opened_value"?: number | null;
          "severity"?: string | null;
          "threshold"?: number | null;
          "undelivered"?: never;
        };
        Update: {
          "alert"?: string | null;
          "closed_at"?: string | null;
          "closed_value"?: number | null;
          "id"?: number | null;
          "opened_at"?: string | null;
          "opened_value"?: number | null;
          "severity"?: string | null;
          "threshold"?: number | null;
          "undelivered"?: never;
        };
        Relationships: [
          {
            foreignKeyName: "alert_episodes_alert_fkey";
            columns: ["alert"];
            isOneToOne: false;
            referencedRelation: "alert_rules";
            referencedColumns: ["alert"];
          },
          {
            foreignKeyName: "alert_episodes_alert_fkey";
            columns: ["alert"];
            isOneToOne: false;
            referencedRelation: "alert_status";
            referencedColumns: ["alert"];
          },
        ];
      };
      "alert_status": {
        Row: {
          "action": string;
          "alert": string;
          "firing": boolean | null;
          "measured": string | null;
          "severity": string;
          "summary": string;
          "threshold": number;
          "unit": string;
          "value": number | null;
          "window_minutes": number;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "call_funnel": {
        Row: {
          "calls": number | null;
          "pct_of_arrived": number | null;
          "position": number | null;
          "stage": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "call_hangups": {
        Row: {
          "calls": number | null;
          "stage": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "call_success_metrics": {
        Row: {
          "abandoned_calls": number | null;
          "active_calls": number | null;
          "avg_call_duration_sec": number | null;
          "completed_calls": number | null;
          "failed_calls": number | null;
          "rate_limited_calls": number | null;
          "success_rate_pct": number | null;
          "total_calls": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "call_success_metrics_24h": {
        Row: {
          "abandoned_calls": number | null;
          "active_calls": number | null;
          "avg_call_duration_sec": number | null;
          "completed_calls": number | null;
          "failed_calls": number | null;
          "rate_limited_calls": number | null;
          "success_rate_pct": number | null;
          "total_calls": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "call_volume_hourly": {
        Row: {
          "avg_duration_sec": number | null;
          "completed_calls": number | null;
          "failed_calls": number | null;
          "hour": string | null;
          "sales_calls": number | null;
          "support_calls": number | null;
          "total_calls": number | null;
          "voicemail_calls": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "callbacks_due": {
        Row: {
          "call_sid": string;
          "due_at": string;
          "group_name": string;
          "id": string;
          "line": string;
          "max_tries": number;
          "org_id": string | null;
          "place": number | null;
          "promised_at": string;
          "queued_at": string;
          "state": string;
          "to_e164": string;
          "tries": number;
          "why": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "calls_by_day": {
        Row: {
          "avg_duration_sec": number | null;
          "connected_calls": number | null;
          "day": string | null;
          "failed_calls": number | null;
          "rate_limited_calls": number | null;
          "total_calls": number | null;
          "voicemail_calls": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "calls_by_hour_of_day": {
        Row: {
          "calls_per_day": number | null;
          "connected_calls": number | null;
          "failed_calls": number | null;
          "hour_of_day": number | null;
          "total_calls": number | null;
          "voicemail_calls": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "campaign_compliance": {
        Row: {
          "abandoned": number | null;
          "abandoned_pct": number | null;
          "answered": number | null;
          "campaign": string;
          "campaign_id": string;
          "consent": string;
          "day": string | null;
          "dials": number | null;
          "machine": number | null;
          "org_id": string | null;
          "with_consent_on_record": number | null;
        };
        ComputedFields: never;
        Relationships: [
          {
            foreignKeyName: "campaign_dials_campaign_id_fkey";
            columns: ["campaign_id"];
            isOneToOne: false;
            referencedRelation: "campaign_live";
            referencedColumns: ["campaign_id"];
          },
          {
            foreignKeyName: "campaign_dials_campaign_id_fkey";
            columns: ["campaign_id"];
            isOneToOne: false;
            referencedRelation: "campaigns";
            referencedColumns: ["id"];
          },
        ];
      };
      "campaign_live": {
        Row: {
          "abandoned": number | null;
          "answered": number | null;
          "busy": number | null;
          "campaign_id": string;
          "contacts": number | null;
          "dialled": number | null;
          "ended_at": string | null;
          "failed": number | null;
          "machine": number | null;
          "minutes": number | null;
          "mode": string;
          "name": string;
          "no_answer": number | null;
          "opted_out": number | null;
          "org_id": string | null;
          "paused_because": string | null;
          "ringing": number | null;
          "started_at": string | null;
          "state": string;
          "suppressed": number | null;
          "unknown": number | null;
          "waiting": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "campaign_results": {
        Row: {
          "answered_at": string | null;
          "call_sid": string | null;
          "campaign": string;
          "campaign_id": string;
          "dialled_at": string | null;
          "due_at": string | null;
          "e164": string;
          "ended_at": string | null;
          "ends": (string)[];
          "line": string | null;
          "name": string | null;
          "org_id": string | null;
          "state": string;
          "tries": number;
        };
        ComputedFields: never;
        Relationships: [
          {
            foreignKeyName: "campaign_contacts_campaign_id_fkey";
            columns: ["campaign_id"];
            isOneToOne: false;
            referencedRelation: "campaign_live";
            referencedColumns: ["campaign_id"];
          },
          {
            foreignKeyName: "campaign_contacts_campaign_id_fkey";
            columns: ["campaign_id"];
            isOneToOne: false;
            referencedRelation: "campaigns";
            referencedColumns: ["id"];
          },
        ];
      };
      "consent_metrics": {
        Row: {
          "consented_calls": number | null;
          "opt_out_rate_pct": number | null;
          "opted_out_calls": number | null;
          "total_calls": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "destination_performance": {
        Row: {
          "answer_rate_pct": number | null;
          "answered_calls": number | null;
          "avg_seconds_to_answer": number | null;
          "dialled_calls": number | null;
          "max_seconds_to_answer": number | null;
          "mode": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "failed_transactions": {
        Row: {
          "completed_at": string | null;
          "duration_seconds": number | null;
          "error_message": string | null;
          "id": string;
          "org_id": string;
          "started_at": string;
          "steps_completed": NonNullable<Json>;
          "transaction_type": string;
        };
        ComputedFields: never;
        Insert: {
          "completed_at"?: string | null;
          "duration_seconds"?: never;
          "error_message"?: string | null;
          "id"?: string | null;
          "org_id"?: string | null;
          "started_at"?: string | null;
          "steps_completed"?: Json | null;
          "transaction_type"?: string | null;
        };
        Update: {
          "completed_at"?: string | null;
          "duration_seconds"?: never;
          "error_message"?: string | null;
          "id"?: string | null;
          "org_id"?: string | null;
          "started_at"?: string | null;
          "steps_completed"?: Json | null;
          "transaction_type"?: string | null;
        };
        Relationships: [];
      };
      "flow_funnel": {
        Row: {
          "entered": number | null;
          "flow": string;
          "hung_up": number | null;
          "node": string | null;
          "org_id": string | null;
          "outcomes": Json | null;
          "version": number;
          "waiting": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "ivr_interactions": {
        Row: {
          "at": string;
          "event_id": number;
          "input": string | null;
          "node": string | null;
          "nth": number | null;
          "outcome": string | null;
          "session_id": string;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "ivr_sessions": {
        Row: {
          "created_at": string;
          "duration_sec": number | null;
          "ended_at": string | null;
          "flow": string | null;
          "mode": string;
          "node": string | null;
          "org_id": string | null;
          "session_id": string;
          "status": string | null;
          "version": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "job_lanes": {
        Row: {
          "due_at": string | null;
          "kind": string;
          "priority": number | null;
          "worker": string;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "jobs_dead": {
        Row: {
          "attempted_at": string | null;
          "attempts": number;
          "created_at": string;
          "ended_at": string | null;
          "id": number;
          "key": string;
          "kind": string;
          "last_error": string | null;
          "payload": NonNullable<Json>;
        };
        ComputedFields: never;
        Insert: {
          "attempted_at"?: string | null;
          "attempts"?: number | null;
          "created_at"?: string | null;
          "ended_at"?: string | null;
          "id"?: number | null;
          "key"?: string | null;
          "kind"?: string | null;
          "last_error"?: string | null;
          "payload"?: Json | null;
        };
        Update: {
          "attempted_at"?: string | null;
          "attempts"?: number | null;
          "created_at"?: string | null;
          "ended_at"?: string | null;
          "id"?: number | null;
          "key"?: string | null;
          "kind"?: string | null;
          "last_error"?: string | null;
          "payload"?: Json | null;
        };
        Relationships: [
          {
            foreignKeyName: "jobs_kind_fkey";
            columns: ["kind"];
            isOneToOne: false;
            referencedRelation: "job_kinds";
            referencedColumns: ["kind"];
          },
          {
            foreignKeyName: "jobs_kind_fkey";
            columns: ["kind"];
            isOneToOne: false;
            referencedRelation: "job_lanes";
            referencedColumns: ["kind"];
          },
          {
            foreignKeyName: "jobs_kind_fkey";
            columns: ["kind"];
            isOneToOne: false;
            referencedRelation: "jobs_waiting";
            referencedColumns: ["kind"];
          },
        ];
      };
      "jobs_waiting": {
        Row: {
          "dead": number | null;
          "due": number | null;
          "held_for": string | null;
          "held_until": string | null;
          "kind": string;
          "most_attempts": number | null;
          "oldest_at": string | null;
          "oldest_seconds": number | null;
          "running": number | null;
          "waiting": number | null;
          "worker": string;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "leg_results": {
        Row: {
          "accepted": number | null;
          "avg_seconds_to_answer": number | null;
          "busy": number | null;
          "caller_left": number | null;
          "canceled": number | null;
          "declined": number | null;
          "legs": number | null;
          "mailbox": number | null;
          "no_answer": number | null;
          "node": string | null;
          "taken": number | null;
          "unreachable": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "missed_calls": {
        Row: {
          "call_sid": string;
          "from_e164": string | null;
          "group_name": string | null;
          "last_step": string | null;
          "line": string | null;
          "mail": string | null;
          "mode": string;
          "org_id": string | null;
          "settled": boolean | null;
          "started_at": string;
          "text": string | null;
          "waited_sec": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "number_provisioning_status": {
        Row: {
          "business_name": string;
          "calls_last_24h": number | null;
          "country": string;
          "e164_number": string;
          "org_id": string;
          "provisioned_at": string;
          "subaccount_sid": string;
        };
        ComputedFields: never;
        Relationships: [
          {
            foreignKeyName: "telephony_numbers_org_id_fkey";
            columns: ["org_id"];
            isOneToOne: false;
            referencedRelation: "telephony_subaccounts";
            referencedColumns: ["org_id"];
          },
        ];
      };
      "operations_now": {
        Row: {
          "active_calls": number | null;
          "connections_allowed": number | null;
          "connections_used": number | null;
          "failed_transactions_last_hour": number | null;
          "jobs_dead": number | null;
          "jobs_due": number | null;
          "oldest_active_seconds": number | null;
          "oldest_due_job_seconds": number | null;
          "oldest_voicemail_hours": number | null;
          "rate_limit_refusals_last_hour": number | null;
          "voicemail_backlog": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "people_performance": {
        Row: {
          "accepted": number | null;
          "busy": number | null;
          "caller_left": number | null;
          "canceled": number | null;
          "day": string | null;
          "declined": number | null;
          "group_name": string | null;
          "handle": string | null;
          "mailbox": number | null;
          "name": string | null;
          "no_answer": number | null;
          "org_id": string | null;
          "rung": number | null;
          "seconds_to_accept": number | null;
          "talk_sec": number | null;
          "too_late": number | null;
          "transferred": number | null;
          "unreachable": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "queue_now": {
        Row: {
          "call_sid": string;
          "from_e164": string | null;
          "group_name": string | null;
          "line": string | null;
          "node": string;
          "org_id": string | null;
          "position": number | null;
          "queued_at": string;
          "rings_all": boolean | null;
          "taken": boolean | null;
          "told_position": number | null;
          "waited_sec": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "rate_limit_violations": {
        Row: {
          "endpoint": string;
          "identifier": string;
          "identifier_type": string;
          "last_violation": string | null;
          "violation_count": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "recent_errors": {
        Row: {
          "created_at": string;
          "event_data": NonNullable<Json>;
          "event_type": string;
          "severity": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string | null;
          "event_data"?: Json | null;
          "event_type"?: string | null;
          "severity"?: string | null;
        };
        Update: {
          "created_at"?: string | null;
          "event_data"?: Json | null;
          "event_type"?: string | null;
          "severity"?: string | null;
        };
        Relationships: [];
      };
      "search_passages": {
        Row: {
          "at": string | null;
          "body": string | null;
          "call_sid": string | null;
          "end_ms": number | null;
          "kind": string | null;
          "lang": string | null;
          "org_id": string | null;
          "part": number | null;
          "party": string | null;
          "ref": string | null;
          "source_id": string | null;
          "speaker": string | null;
          "start_ms": number | null;
          "title": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "search_performance": {
        Row: {
          "corrected": number | null;
          "day": string | null;
          "max_ms": number | null;
          "p50_ms": number | null;
          "p95_ms": number | null;
          "partial": number | null;
          "searches": number | null;
          "without_results": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "search_sources": {
        Row: {
          "at": string | null;
          "body": string | null;
          "call_sid": string | null;
          "end_ms": number | null;
          "id": string | null;
          "kind": string | null;
          "org_id": string | null;
          "party": string | null;
          "ref": string | null;
          "speaker": string | null;
          "start_ms": number | null;
          "title": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "voicemail_backlog": {
        Row: {
          "call_sid": string;
          "created_at": string;
          "from_e164": string | null;
          "hours_old": number | null;
          "recording_sid": string;
          "recording_url": string | null;
          "transcript": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
      "voicemails": {
        Row: {
          "assigned_to": string | null;
          "call_sid": string;
          "changed_at": string | null;
          "changed_by": string | null;
          "duration_sec": number | null;
          "from_e164": string | null;
          "line": string | null;
          "org_id": string | null;
          "recorded_at": string;
          "recording_sid": string;
          "state": string | null;
          "transcript": string | null;
        };
        ComputedFields: never;
        Relationships: [
          {
            foreignKeyName: "voicemail_steps_assigned_to_fkey";
            columns: ["assigned_to"];
            isOneToOne: false;
            referencedRelation: "people";
            referencedColumns: ["id"];
          },
        ];
      };
      "webhook_performance": {
        Row: {
          "avg_database_ms": number | null;
          "avg_ms": number | null;
          "database_failures": number | null;
          "error_rate_pct": number | null;
          "errors": number | null;
          "function": string;
          "max_ms": number | null;
          "p50_ms": number | null;
          "p95_ms": number | null;
          "refused": number | null;
          "requests": number | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
    };
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
      "blocked_number": {
        Args: {
          "c": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
        };
        Returns: boolean;
      };
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
      "call_facts": {
        Args: {
          "c": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
          "p_ask": Json;
        };
        Returns: Json;
      };
      "call_hash": { Args: { "p_call_sid": string }; Returns: string };
      "call_hour_lock": { Args: { "p_hour": string }; Returns: number };
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
      "came_callable": {
        Args: {
          "c": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
        };
        Returns: boolean;
      };
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
      "can_ring": {
        Args: {
          "c": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
          "n": Json;
          "p_facts": Json;
          "p_steps": Json;
        };
        Returns: boolean;
      };
      "cancel_attempt": {
        Args: {
          "a": Omit<
            Database["public"]["Tables"]["dial_attempts"]["Row"],
            Database["public"]["Tables"]["dial_attempts"]["ComputedFields"]
          >;
          "p_why": string;
        };
        Returns: undefined;
      };
      "cancel_surplus": {
        Args: { "p_org_id": string; "p_queue": string; "p_why": string };
        Returns: undefined;
      };
      "case_of": {
        Args: {
          "c": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
          "n": Json;
          "p_facts": Json;
        };
        Returns: string;
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
        Args: { "p_because"?: string; "p_campaign_id": string; "p_command": string };
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
      "connect_caller": {
        Args: {
          "a": Omit<
            Database["public"]["Tables"]["dial_attempts"]["Row"],
            Database["public"]["Tables"]["dial_attempts"]["ComputedFields"]
          >;
          "p_call_sid": string;
        };
        Returns: string;
      };
      "contact_match": { Args: { "p_owner": string; "p_query": string }; Returns: string };
      "contact_stands": {
        Args: {
          "a": Omit<
            Database["public"]["Tables"]["dial_attempts"]["Row"],
            Database["public"]["Tables"]["dial_attempts"]["ComputedFields"]
          >;
        };
        Returns: undefined;
      };
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
      "count_dialled": {
        Args: {
          "p_after": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
          "p_before": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
        };
        Returns: undefined;
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
      "document_match": { Args: { "p_queries": (unknown)[] }; Returns: string };
      "embedded_text": {
        Args: {
          "p_document": Omit<
            Database["public"]["Tables"]["search_documents"]["Row"],
            Database["public"]["Tables"]["search_documents"]["ComputedFields"]
          >;
        };
        Returns: string;
      };
      "embedding_content": { Args: { "p_key": string }; Returns: Json };
      "embedding_key": {
        Args: {
          "p_document": Omit<
            Database["public"]["Tables"]["search_documents"]["Row"],
            Database["public"]["Tables"]["search_documents"]["ComputedFields"]
          >;
        };
        Returns: string;
      };
      "enact": {
        Args: {
          "c": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
          "e": Database["public"]["CompositeTypes"]["voice_event"];
          "p_path": Json;
        };
        Returns: Json;
      };
      "end_agent_sessions": {
        Args: {
          "c": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
          "p_end": Json;
        };
        Returns: undefined;
      };
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
      "enter_queue": {
        Args: {
          "c": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
          "p_node": string;
          "p_version_id": number;
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
      "fold_leg": {
        Args: {
          "e": Database["public"]["CompositeTypes"]["voice_event"];
          "l": Omit<
            Database["public"]["Tables"]["call_legs"]["Row"],
            Database["public"]["Tables"]["call_legs"]["ComputedFields"]
          >;
        };
        Returns: {
          "accepted_at": string | null;
          "answered_at": string | null;
          "bridged": boolean | null;
          "call_sid": string;
          "connected_at": string | null;
          "dialled_at": string;
          "ended_at": string | null;
          "leg_sid": string;
          "node": string | null;
          "rang_at": string | null;
          "result": string | null;
          "status": Database["public"]["Enums"]["call_status"] | null;
          "to_e164": string | null;
          "told": string | null;
          "transfer": string | null;
        };
        SetofOptions: {
          from: "*";
          to: "call_legs";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "fold_recording": {
        Args: {
          "e": Database["public"]["CompositeTypes"]["voice_event"];
          "r": Omit<
            Database["public"]["Tables"]["recordings"]["Row"],
            Database["public"]["Tables"]["recordings"]["ComputedFields"]
          >;
        };
        Returns: {
          "call_sid": string;
          "confirmed": boolean;
          "deleted_at": string | null;
          "duration_sec": number | null;
          "handled_at": string | null;
          "leg_sid": string;
          "recorded_at": string;
          "recording_sid": string;
          "source": string;
          "transcript": string | null;
          "url": string | null;
        };
        SetofOptions: {
          from: "*";
          to: "recordings";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "fold_voice_event": {
        Args: {
          "c": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
          "e": Database["public"]["CompositeTypes"]["voice_event"];
        };
        Returns: {
          "agent_served": boolean;
          "answered_at": string | null;
          "at_node": Json | null;
          "call_sid": string;
          "connected_at": string | null;
          "consent_given": boolean | null;
          "consent_order": number;
          "created_at": string;
          "dialled": boolean;
          "direction": string;
          "disposition": string | null;
          "duration_sec": number | null;
          "end_fetched": boolean;
          "ended_at": string | null;
          "flow_version": number | null;
          "from_e164": string | null;
          "handoff": boolean;
          "handoff_reason": string | null;
          "incomplete": boolean;
          "last_step": string | null;
          "last_step_at": string | null;
          "line": string | null;
          "mode": string;
          "mode_turn": number;
          "org_id": string | null;
          "party": string | null;
          "rang_at": string | null;
          "rate_limited": boolean;
          "recorded_at": string | null;
          "recording_duration_sec": number | null;
          "recording_sid": string | null;
          "recording_source": string | null;
          "recording_url": string | null;
          "settled": boolean;
          "started_at": string;
          "status": Database["public"]["Enums"]["call_status"];
          "to_e164": string | null;
          "transcript": string | null;
          "updated_at": string;
        };
        SetofOptions: {
          from: "*";
          to: "call_logs";
          isOneToOne: true;
          isSetofReturn: false;
        };
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
      "gives_up": {
        Args: {
          "c": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
          "p_facts": Json;
        };
        Returns: boolean;
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
        Args: { "p_call_sid"?: string; "p_id": string; "p_kind": string };
        Returns: undefined;
      };
      "invitation": { Args: { "p_member_id": string }; Returns: Json };
      "is_member": { Args: { "p_org_id": string }; Returns: boolean };
      "is_passage": {
        Args: {
          "d": Omit<
            Database["public"]["Tables"]["search_documents"]["Row"],
            Database["public"]["Tables"]["search_documents"]["ComputedFields"]
          >;
          "p_passages": (Database["public"]["Views"]["search_passages"]["Row"])[];
        };
        Returns: boolean;
      };
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
      "line_has_spent": {
        Args: {
          "c": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
          "p_day_sec": number;
          "p_leg_sec": number;
        };
        Returns: boolean;
      };
      "lines_of_flow": { Args: { "p_flow_id": number }; Returns: Json };
      "lock_dialling": { Args: { "p_org_id": string }; Returns: undefined };
      "longest_idle": { Args: { "p_members": (string)[]; "p_org_id": string }; Returns: string };
      "mail_content": { Args: { "p_kind": string; "p_payload": Json }; Returns: Json };
      "make_audited": {
        Args: { "p_by"?: string; "p_kept": (string)[]; "p_key": string; "p_table": unknown };
        Returns: undefined;
      };
      "make_store": { Args: { "p_table": unknown }; Returns: undefined };
      "match_alerts": {
        Args: { "p_passages": (Database["public"]["Views"]["search_passages"]["Row"])[] };
        Returns: undefined;
      };
      "may_promise": {
        Args: {
          "c": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
        };
        Returns: boolean;
      };
      "may_transfer": {
        Args: {
          "a": Omit<
            Database["public"]["Tables"]["dial_attempts"]["Row"],
            Database["public"]["Tables"]["dial_attempts"]["ComputedFields"]
          >;
        };
        Returns: boolean;
      };
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
      "names_number": { Args: { "p_number": string; "p_query": string }; Returns: boolean };
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
      "onboarding_due_in": { Args: { "p_id": string }; Returns: number };
      "onboarding_work": {
        Args: {
          "t": Omit<
            Database["public"]["Tables"]["telephony_transactions"]["Row"],
            Database["public"]["Tables"]["telephony_transactions"]["ComputedFields"]
          >;
        };
        Returns: Json;
      };
      "only_stop_words": { Args: { "p_query": string }; Returns: boolean };
      "open_agent_session": { Args: { "p_session": Json }; Returns: Json };
      "organisation_of": { Args: { "p_account_sid": string }; Returns: string };
      "owe_embedding": {
        Args: {
          "p_document": Omit<
            Database["public"]["Tables"]["search_documents"]["Row"],
            Database["public"]["Tables"]["search_documents"]["ComputedFields"]
          >;
        };
        Returns: undefined;
      };
      "owe_embeddings": { Args: { "p_model": string }; Returns: number };
      "owe_missed_call": {
        Args: {
          "c": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
        };
        Returns: undefined;
      };
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
      "path_of_event": {
        Args: {
          "c": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
          "e": Database["public"]["CompositeTypes"]["voice_event"];
          "p_facts": Json;
        };
        Returns: Json;
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
      "person_available": {
        Args: {
          "p": Omit<
            Database["public"]["Tables"]["people"]["Row"],
            Database["public"]["Tables"]["people"]["ComputedFields"]
          >;
        };
        Returns: boolean;
      };
      "phones_like": { Args: { "p_digits": (string)[]; "p_owner": string }; Returns: (string)[] };
      "point_flow": {
        Args: { "p_by": string; "p_flow_id": number; "p_version": number };
        Returns: undefined;
      };
      "promise_callback": {
        Args: {
          "c": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
          "p_node": string;
          "p_version_id": number;
        };
        Returns: undefined;
      };
      "promise_open": {
        Args: {
          "k": Omit<
            Database["public"]["Tables"]["callbacks"]["Row"],
            Database["public"]["Tables"]["callbacks"]["ComputedFields"]
          >;
        };
        Returns: boolean;
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
      "store_call_legs": {
        Args: {
          "p_is_new": boolean;
          "p_row": Omit<
            Database["public"]["Tables"]["call_legs"]["Row"],
            Database["public"]["Tables"]["call_legs"]["ComputedFields"]
          >;
        };
        Returns: undefined;
      };
      "store_call_logs": {
        Args: {
          "p_is_new": boolean;
          "p_row": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
        };
        Returns: undefined;
      };
      "store_embedding": {
        Args: { "p_embedding": (number)[]; "p_key": string; "p_model": string };
        Returns: boolean;
      };
      "store_passages": {
        Args: { "p_passages": (Database["public"]["Views"]["search_passages"]["Row"])[] };
        Returns: undefined;
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
      "store_recordings": {
        Args: {
          "p_is_new": boolean;
          "p_row": Omit<
            Database["public"]["Tables"]["recordings"]["Row"],
            Database["public"]["Tables"]["recordings"]["ComputedFields"]
          >;
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
      "transfer_call": {
        Args: {
          "a": Omit<
            Database["public"]["Tables"]["dial_attempts"]["Row"],
            Database["public"]["Tables"]["dial_attempts"]["ComputedFields"]
          >;
          "p_code": string;
        };
        Returns: Json;
      };
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
      "walk_flow": {
        Args: {
          "c": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
          "p_facts": Json;
          "p_node": string;
          "p_version_id": number;
        };
        Returns: Json;
      };
      "was_missed": {
        Args: {
          "c": Omit<
            Database["public"]["Tables"]["call_logs"]["Row"],
            Database["public"]["Tables"]["call_logs"]["ComputedFields"]
          >;
        };
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

type DatabaseWithoutInternals = Omit<Database, "__InternalSupabase">;

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">];

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof (
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"]
    )
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals } ? (
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"]
  )[TableName] extends {
    Row: infer R;
  } ? R
  : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
      Row: infer R;
    } ? R
    : never
  : never;

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends
    {
      Insert: infer I;
    } ? I
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Insert: infer I;
    } ? I
    : never
  : never;

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends
    {
      Update: infer U;
    } ? U
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Update: infer U;
    } ? U
    : never
  : never;

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never = never,
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
    ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
  : never;

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never = never,
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][
    CompositeTypeName
  ]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
    ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
  : never;

export const Constants = {
  "public": {
    Enums: {
      "call_event": [
        "arrived",
        "consent",
        "menu",
        "route",
        "key_pressed",
        "dial_ended",
        "queue_waited",
        "queue_left",
        "agent_left",
        "voicemail_offered",
        "voicemail_recorded",
        "status",
        "leg_status",
        "leg_asked",
        "leg_accepted",
        "leg_declined",
        "recording",
        "transcription",
        "reconciled",
        "leg_reconciled",
        "recording_reconciled",
        "settled",
        "closed_unheard",
      ],
      "call_status": [
        "queued",
        "initiated",
        "ringing",
        "in-progress",
        "lost",
        "canceled",
        "failed",
        "busy",
        "no-answer",
        "completed",
      ],
      "member_role": ["viewer", "agent", "admin", "owner"],
    },
  },
} as const;
