// Groups, channels and polls, as far as the app uses them (docs/api.md).

export type Role = "read-only" | "member" | "moderator" | "admin";
export type GroupState = "joining" | "active" | "lost" | "removed" | "left" | "asked" | "stopped";
export type Right = "invite" | "describe" | "post" | "pin" | "moderate" | "administer";
export type ChannelRole = "reader" | "poster" | "moderator" | "owner";
export type Posting = "roles" | "all";

/** What changed in a group, between its messages. */
export interface Note {
  change: string;
  member: string;
  name: string;
  detail: string;
}

/** `length` code points of a text from `start` on name a member: "me" or an account. */
export interface Mention {
  start: number;
  length: number;
  member: string;
}

export interface Poll {
  question: string;
  options: { text: string; votes: string[] }[];
  several: boolean;
}

export interface Permissions {
  invite: Role;
  describe: Role;
  post: Role;
  pin: Role;
}

export interface GroupMember {
  member: string;
  name: string;
  role: Role;
  me: boolean;
  contact: boolean;
  leaving: boolean;
  picture: string;
  own_name: string;
  verified: boolean;
}

export interface WaitingChange {
  number: number;
  done: string;
  member: string;
  name: string;
  reason: string;
}

export interface GroupInfo {
  group: string;
  title: string;
  state: GroupState;
  role: Role;
  members: number;
  description: string;
  avatar: string;
  timer_s: number;
  network: "central" | "federated" | "onion" | "direct";
  requests: number;
  permissions: Permissions;
  history: number;
  approval: boolean;
  banned: { member: string; name: string }[];
  waiting: WaitingChange[];
  link: string;
  host: string;
  may: Right[];
  successor: string;
}

/** `state`: done, or it waits and comes about by itself. */
export interface GroupChanged {
  group: string;
  title: string;
  done: string;
  state: "done" | "waiting";
  reason: string;
}

export interface JoinRequest {
  id: string;
  group: string;
  title: string;
  name: string;
  greeting: string;
  account: string;
  received_at: string;
}

/** A contact would let one into a group; `id` is the message's. */
export interface GroupIntroduction {
  id: string;
  group: string;
  title: string;
  by: string;
  by_name: string;
}

/** What a message says that invites somebody into a group. */
export interface GroupInvites {
  group: string;
  title: string;
}

export interface ChannelPerson {
  pseudonym: string;
  name: string;
  role: ChannelRole;
  banned: boolean;
}

export interface ChannelInfo {
  channel: string;
  title: string;
  state: "joining" | "open" | "lost" | "banned";
  role: ChannelRole;
  posting: Posting;
  may_post: boolean;
  description: string;
  avatar: string;
  slow_s: number;
  network: "central" | "federated" | "onion" | "direct";
  link: string;
  pseudonym: string;
  name: string;
  people: ChannelPerson[];
  host: string;
  refused: string;
}

export interface ChannelChanged {
  channel: string;
  title: string;
  done: string;
  link: string;
  state: ChannelInfo["state"];
}

export type LinkUse = "contact" | "device" | "group" | "channel" | "relay" | "network" | "unknown";

interface Sent {
  id: string;
  conversation: string;
}

export type GroupEvent =
  | { type: "group"; group: string; title: string; change: string; text: string; from: string; member: string; name: string; detail: string; id: string }
  | { type: "channel"; channel: string; title: string; change: string; text: string; pseudonym: string; name: string; detail: string }
  | { type: "vote"; id: string; conversation: string; from: string; poll: Poll };

export interface GroupOperations {
  "group-create": [{ title: string; members?: string[]; description?: string }, GroupChanged];
  "group-add": [{ group: string; members: string[] }, GroupChanged];
  "group-introduce": [{ group: string; members: string[] }, GroupChanged];
  "group-introductions": [Record<string, never>, GroupIntroduction[]];
  "group-remove": [{ group: string; members: string[] }, GroupChanged];
  "group-ban": [{ group: string; members: string[] }, GroupChanged];
  "group-unban": [{ group: string; members: string[] }, GroupChanged];
  "group-leave": [{ group: string }, GroupChanged];
  "group-forget": [{ group: string }, GroupChanged];
  "group-move": [{ group: string }, GroupChanged];
  "group-reopen": [{ group: string }, GroupChanged];
  "group-resume": [{ group: string }, GroupChanged];
  "group-cancel": [{ group: string; number: number }, GroupChanged];
  "group-role": [{ group: string; member: string; role: Role }, GroupChanged];
  "group-title": [{ group: string; title: string }, GroupChanged];
  "group-description": [{ group: string; description: string }, GroupChanged];
  "group-avatar": [{ group: string; picture: string }, GroupChanged];
  "group-permissions": [{ group: string; history?: number; approval?: boolean } & Partial<Permissions>, GroupChanged];
  "group-link": [{ group: string; revoke?: boolean; renew?: boolean }, { link: string; approval: boolean }];
  "group-join": [{ link: string; greeting?: string; wait_timeout_s?: number }, GroupChanged];
  "group-requests": [{ group?: string }, JoinRequest[]];
  "group-accept": [{ id: string; wait_timeout_s?: number }, GroupChanged];
  "group-decline": [{ id: string }, GroupChanged];
  "group-info": [{ group: string }, GroupInfo];
  "group-members": [{ group: string }, GroupMember[]];
  "channel-create": [{ title: string; posting?: Posting; description?: string; slow_s?: number; name?: string }, ChannelChanged];
  "channel-join": [{ link: string; name?: string }, ChannelChanged];
  "channel-move": [{ channel: string }, ChannelChanged];
  "channel-leave": [{ channel: string; delete?: boolean }, ChannelChanged];
  "channel-info": [{ channel: string }, ChannelInfo];
  "channel-ban": [{ channel: string; pseudonym: string; banned?: boolean; purge?: boolean }, ChannelChanged];
  "channel-set-role": [{ channel: string; pseudonym: string; role: ChannelRole }, ChannelChanged];
  "channel-settings": [
    { channel: string; title?: string; description?: string; avatar?: string; posting?: Posting; slow_s?: number; name?: string },
    ChannelChanged,
  ];
  "ask-poll": [{ conversation: string; question: string; options: string[]; several: boolean }, Sent];
  vote: [{ id: string; options: number[] }, Sent];
  "read-link": [{ link: string }, { use: LinkUse; host: string }];
}
