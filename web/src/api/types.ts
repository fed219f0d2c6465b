// What the agent answers (docs/api.md, GET /openapi.json), as far as the app uses it. Times are RFC 3339 text.

import type { Span } from "../ui/markup";
import type { AddedContact, CarrierKind, DirectEvent, DirectOperations } from "./direct";
import type { GroupEvent, GroupInvites, GroupOperations, Mention, Note, Poll } from "./groups";

export type MessageState = "queued" | "sent" | "delivered" | "read" | "received" | "failed";
export type NetworkKind = "central" | "federated" | "onion" | "direct";
export type Timing = "fast" | "mixed";
export type ContactState = "requested" | "accepted" | "blocked";

export interface VoiceNote {
  duration_ms: number;
  waveform: number[];
}

export interface Attachment {
  name: string;
  size: number;
  type: string;
  number: number;
  stored: boolean;
  voice_note: boolean;
  width: number;
  height: number;
  duration_ms: number;
  waveform: number[];
}

export interface Message {
  id: string;
  conversation: string;
  from: string;
  text: string;
  sent_at: string;
  received_at: string;
  state: MessageState;
  edited: boolean;
  deleted: boolean;
  reactions: Record<string, string[]>;
  attachments: Attachment[];
  reply_to: string | null;
  network: NetworkKind;
  expires_at: string | null;
  unknown: boolean;
  introduces: string;
  invites: GroupInvites | null;
  spans: Span[];
  forwarded: boolean;
  pinned: boolean;
  from_name: string;
  note: Note | null;
  poll: Poll | null;
  read_by: number;
  mentions: Mention[];
}

export interface Conversation {
  id: string;
  name: string;
  state: ContactState;
  verified: boolean;
  network: NetworkKind;
  key_changed: boolean;
  own_name: string;
  status: string;
  picture: string;
  unread: number;
  waiting: number;
  timer_s: number;
  pinned: boolean;
  archived: boolean;
  muted_until: string | null;
  draft: string;
  last: Message | null;
  first_unread: string;
  held: boolean;
  kind: "direct" | "group" | "channel";
  members: number;
  role: string;
  group_state: string;
  description: string;
  may_post: boolean;
  requests: number;
  mentions: number;
  /** The carrier over which a device of theirs is linked to this one now. */
  near: CarrierKind | "";
  /** It is on an onion network of others, which is called once the person says so. */
  foreign: boolean;
}

export interface HistoryPage {
  messages: Message[];
  earlier: boolean;
  later: boolean;
  replied: Message[];
}

export interface Identity {
  account: string;
  device: string;
  name: string;
  relays: string[];
  device_name: string;
  status: string;
  picture: string;
}

export interface RelayState {
  link_host: string;
  reachable: boolean;
  reason: string;
  /** This very device, which keeps mailboxes itself; a relay at home, which is met; an onion network. */
  here: boolean;
  home: boolean;
  onion: boolean;
  /** The code of why it is not reachable. */
  problem: string;
}

export interface Status {
  connected: boolean;
  waiting: number;
  relays: RelayState[];
  requests: number;
  unread: number;
  /** How this device stands to its account. */
  device_state: "linked" | "waiting" | "removed";
}

export interface ContactRequest {
  id: string;
  name: string;
  greeting: string;
  contact: string;
  received_at: string;
  warning: string;
  nearby: boolean;
}

export interface InvitationView {
  id: string;
  link: string;
  kind: "one-time" | "reusable";
  created_at: string;
  expires_at: string | null;
  uses: number;
  /** Somebody else's, that waits until their device is met. */
  followed: boolean;
}

export interface SentMessage {
  id: string;
  conversation: string;
  state: MessageState;
  sent_at: string | null;
}

export interface MessageDetails {
  message: Message;
  edits: string[];
  edited_at: string | null;
  stored_at: string | null;
  delivered_at: string | null;
  read_at: string | null;
  hops: Hop[];
  readers: { member: string; name: string; at: string }[];
  waiting: { name: string; stored: boolean; attempts: number; problem: string }[];
}

export interface Hop {
  party: string;
  name: string;
  reachable: boolean | null;
}

export interface RouteView {
  conversation: string;
  network: NetworkKind;
  hops: Hop[];
  exposure: { party: string; sees: string[]; hidden: string[] }[];
  facts: Record<string, string>;
  choices: NetworkKind[];
  floor: NetworkKind;
  their_floor: NetworkKind;
  held: boolean;
  carrier: CarrierKind | "";
  ways: { network: NetworkKind; host: string }[];
  prefers: NetworkKind | null;
  timing: Timing;
  /** Seconds until what is written is in the reader's mailbox; empty where the way is through no onion network. */
  delays: Partial<Record<Timing, number>>;
}

export interface IntroductionView {
  id: string;
  by: string;
  by_name: string;
  name: string;
  account: string;
}

export interface SoftwareInfo {
  version: string;
  license: string;
  python: string;
  system: string;
  notifies: boolean;
  downloads: string;
}

export interface ProfileRow {
  id: string;
  number: number;
  state: "none" | "locked" | "open";
  current: boolean;
  name: string;
  unread: number;
}

export interface StorageView {
  database: number;
  files: number;
  conversations: { id: string; name: string; messages: number; files: number; bytes: number }[];
}

export interface HostState {
  state: "none" | "locked" | "open" | "ending";
  protection: "" | "passphrase" | "keyring" | "none";
  folder: string;
  keyring: boolean;
}

export interface Relay {
  host: string;
  reachable: boolean;
  primary: boolean;
  here: boolean;
  home: boolean;
  onion: boolean;
  problem: string;
}

interface About {
  id: string;
  conversation: string;
  from: string;
}

export type RoostEvent =
  | GroupEvent
  | DirectEvent
  | ({ type: "message" } & Message)
  | ({ type: "request" } & ContactRequest)
  | ({ type: "receipt"; state: MessageState; at: string; read_by: number } & About)
  | ({ type: "reaction"; emoji: string; reactions: Record<string, string[]> } & About)
  | ({ type: "edit"; text: string; spans: Span[]; mentions: Mention[] } & About)
  | ({ type: "pin"; pinned: boolean } & About)
  | ({ type: "delete"; expired: boolean } & About)
  | { type: "typing"; conversation: string; from: string; active: boolean }
  | { type: "contact"; contact: string; name: string; state: ContactState; change: string; timer_s: number; link: string }
  | { type: "connection"; host: string; reachable: boolean; reason: string }
  | { type: "device"; device: string; change: string }
  | { type: "transfer"; id: string; number: number; name: string; incoming: boolean; done: number; total: number }
  | { type: "warning"; code: string; message: string; conversation: string };

/** Each operation: what it takes and what it answers. */
export interface Operations extends GroupOperations, DirectOperations {
  whoami: [Record<string, never>, Identity];
  status: [Record<string, never>, Status];
  conversations: [Record<string, never>, Conversation[]];
  history: [
    { conversation: string; before?: string; after?: string; around?: string; at?: string; limit?: number },
    HistoryPage,
  ];
  arrange: [
    { conversation: string; pinned?: boolean; archived?: boolean; mute_s?: number; draft?: string },
    Conversation,
  ];
  details: [{ id: string }, MessageDetails];
  forward: [{ id: string; to: string }, SentMessage];
  show: [{ id: string }, Message];
  send: [
    { conversation: string; text?: string; spans?: Span[]; files?: string[]; reply_to?: string; key?: string; voice?: VoiceNote },
    SentMessage,
  ];
  edit: [{ id: string; text: string; spans?: Span[] }, { id: string }];
  pin: [{ id: string; pinned: boolean }, { id: string }];
  pins: [{ conversation: string }, Message[]];
  "delete-message": [{ id: string; everyone?: boolean }, { id: string }];
  react: [{ id: string; emoji: string }, { id: string }];
  "mark-read": [{ conversation: string; upto?: string }, { ok: boolean }];
  search: [{ words: string; limit?: number; conversation?: string }, { messages: Message[]; more: boolean }];
  typing: [{ conversation: string; active: boolean }, { ok: boolean }];
  timer: [{ conversation: string; seconds: number }, { seconds: number }];
  clear: [{ conversation: string }, { messages: number }];
  export: [{ conversation: string; to: string }, { path: string; messages: number; files: number }];
  invite: [{ one_time?: boolean; expire_s?: number }, InvitationView];
  invitations: [Record<string, never>, InvitationView[]];
  revoke: [{ invitation: string }, InvitationView];
  add: [{ link: string; greeting?: string }, AddedContact];
  requests: [Record<string, never>, ContactRequest[]];
  accept: [{ id: string; name?: string }, { contact: string; name: string; compare: boolean }];
  decline: [{ id: string }, { contact: string }];
  introduce: [{ first: string; second: string }, { ok: boolean }];
  verify: [{ conversation: string; confirm?: boolean }, { safety_number: string; verified: boolean }];
  block: [{ contact: string }, { ok: boolean }];
  unblock: [{ contact: string }, { ok: boolean }];
  rename: [{ contact: string; name: string }, { ok: boolean }];
  "delete-contact": [{ contact: string }, { ok: boolean }];
  route: [{ conversation: string }, RouteView];
  floor: [{ conversation: string; network: NetworkKind }, RouteView];
  prefer: [{ conversation: string; network: NetworkKind | null }, RouteView];
  "network-enter": [{ conversation: string }, RouteView];
  "set-timing": [{ conversation: string; timing: Timing }, RouteView];
  introductions: [Record<string, never>, IntroductionView[]];
  "follow-introduction": [{ id: string; greeting?: string }, AddedContact];
  "decline-introduction": [{ id: string }, { ok: boolean }];
  "drop-files": [{ conversation?: string; days?: number }, StorageView];
  "software-info": [Record<string, never>, SoftwareInfo];
  qr: [{ text: string }, { rows: string[] }];
  "get-preferences": [Record<string, never>, { values: Record<string, string> }];
  "set-preference": [{ name: string; value: string }, { values: Record<string, string> }];
  storage: [Record<string, never>, StorageView];
  privacy: [{ read_receipts?: boolean }, { read_receipts: boolean }];
  about: [{ name?: string; status?: string; picture?: string }, { name: string; status: string; picture: boolean }];
  passphrase: [{ old?: string; new?: string; protection?: string }, { protection: string }];
  "relays-list": [Record<string, never>, Relay[]];
  "relays-add": [{ link: string }, Relay];
  "relays-remove": [{ host: string }, Relay];
  profile: [Record<string, never>, HostState];
  "profile-create": [{ name: string; relay?: string | null; protection: string; passphrase?: string; carriers?: CarrierKind[] }, HostState];
  "profile-unlock": [{ passphrase?: string }, HostState];
  "profile-lock": [Record<string, never>, HostState];
  profiles: [Record<string, never>, ProfileRow[]];
  "profile-open": [{ id: string }, { url: string }];
  "profile-new": [Record<string, never>, { url: string }];
  "upload-drop": [{ paths?: string[]; ids?: string[] }, { ok: boolean }];
}
