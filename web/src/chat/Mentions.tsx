import { useEffect, useMemo, useState, type KeyboardEvent, type ReactNode } from "react";
import type { GroupMember } from "../api/groups";
import type { Conversation } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { Avatar } from "../ui/Avatar";
import { cleanName } from "../ui/text";

const BEGUN = /(?:^|[^\p{L}\p{N}_])@([\p{L}\p{M}\p{N}_.'’ -]{0,40})$/u;
const MOST = 6;
export const MENTIONS_LIST = "mentions";

export interface Mentions {
  /** Who fits what was typed behind an @; empty: nothing is being mentioned. */
  people: GroupMember[];
  at: number;
  /** The id of the option that Enter takes. */
  active: string | undefined;
  /** True: the key was for the list. */
  key: (event: KeyboardEvent) => boolean;
  pick: (person: GroupMember) => void;
  /** The caret moved. */
  look: (text: string, caret: number) => void;
}

/** `@` and the beginning of a name, in a group: whom it may mean, to be chosen by keys or by hand. */
export function useMentions(conversation: Conversation, insert: (from: number, to: number, letters: string) => void): Mentions {
  const roost = useRoost();
  const members = useStore(roost.groups.details).get(conversation.id)?.members;
  const [begun, setBegun] = useState<{ words: string; from: number; to: number } | null>(null);
  const [at, setAt] = useState(0);
  const people = useMemo(() => (begun === null || members === undefined ? [] : fitting(members, begun.words)), [begun, members]);
  useEffect(() => setAt(0), [begun?.words]);
  const pick = (person: GroupMember): void => {
    if (begun === null) return;
    insert(begun.from, begun.to, `@${person.own_name || person.name} `);
    setBegun(null);
  };
  const look = (text: string, caret: number): void => {
    const found = conversation.kind === "group" ? BEGUN.exec(text.slice(Math.max(0, caret - 60), caret)) : null;
    const words = found?.[1];
    setBegun(words === undefined ? null : { words, from: caret - words.length - 1, to: caret });
  };
  const key = (event: KeyboardEvent): boolean => {
    const person = people[at];
    if (person === undefined || event.shiftKey || event.ctrlKey || event.metaKey) return false;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") setAt((at + (event.key === "ArrowDown" ? 1 : people.length - 1)) % people.length);
    else if (event.key === "Enter" || event.key === "Tab") pick(person);
    else if (event.key === "Escape") setBegun(null);
    else return false;
    event.preventDefault();
    return true;
  };
  return { people, at, active: people.length > 0 ? `${MENTIONS_LIST}-${at}` : undefined, key, pick, look };
}

/** Those whose name, or a word of it, begins so; a name that is there already in full needs no list. */
function fitting(members: GroupMember[], typed: string): GroupMember[] {
  const words = typed.toLocaleLowerCase();
  const names = (row: GroupMember): string[] => [row.name, row.own_name].map((name) => name.toLocaleLowerCase());
  const fits = (name: string): boolean => name.startsWith(words) || (words !== "" && name.includes(` ${words}`));
  if (words.endsWith(" ") && !members.some((row) => names(row).some((name) => name.startsWith(words)))) return [];
  return members.filter((row) => !row.me && names(row).some(fits)).slice(0, MOST);
}

export function MentionList({ mentions }: { mentions: Mentions }): ReactNode {
  const roost = useRoost();
  const t = useT();
  if (mentions.people.length === 0) return null;
  return (
    <ul className="mentions" id={MENTIONS_LIST} role="listbox" aria-label={t("mention.who")}>
      {mentions.people.map((person, index) => (
        <li
          key={person.member}
          id={`${MENTIONS_LIST}-${index}`}
          role="option"
          aria-selected={index === mentions.at}
          onPointerDown={(event) => { event.preventDefault(); mentions.pick(person); }}
        >
          <Avatar id={person.member} name={person.name} picture={person.picture} client={roost.client} size="small" />
          <bdi>{cleanName(person.name)}</bdi>
          {person.own_name !== person.name && person.own_name !== "" && <bdi className="hint">{cleanName(person.own_name)}</bdi>}
        </li>
      ))}
    </ul>
  );
}
