import { memo, type ReactNode } from "react";
import type { Attachment, Conversation, Message } from "../api/types";
import { useLanguage, useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { InvitedBox } from "../groups/Invited";
import { PollBox } from "../groups/PollBox";
import { useStore } from "../state/store";
import { Avatar, hue } from "../ui/Avatar";
import { Icon } from "../ui/icons";
import { Markup } from "../ui/Markup";
import { covered } from "../ui/markup";
import { cleanName, cleanText, duration } from "../ui/text";
import { clock, full } from "../ui/times";
import { Attachments, isPicture } from "./Attachments";
import { Marks } from "./Marks";
import { MessageMenu, type MessageActions } from "./MessageMenu";

interface Props {
  message: Message;
  kind: Conversation["kind"];
  replied: Message | undefined;
  first: boolean;
  find: string;
  flash: boolean;
  selected: boolean | null;
  actions: MessageActions;
  onJump: (id: string) => void;
  onView: (message: Message, file: Attachment) => void;
}

export const Bubble = memo(function Bubble(props: Props): ReactNode {
  const { message, kind, first, flash, selected, actions } = props;
  const mine = message.from === "me";
  const named = kind !== "direct" && !mine;
  const classes = ["message", mine ? "mine" : "theirs", first ? "first" : "", flash ? "flash" : "", selected ? "selected" : "", named ? "named" : ""];
  return (
    <div className={classes.join(" ")} data-id={message.id}>
      {selected !== null && (
        <input
          type="checkbox"
          className="pick"
          checked={selected}
          onChange={() => actions.select(message)}
          aria-label={cleanText(message.text).slice(0, 60)}
        />
      )}
      {named && first && <Face message={message} />}
      <div className="bubble-line">
        <Content {...props} />
        {!message.deleted && selected === null && <MessageMenu message={message} actions={actions} />}
      </div>
      <Reactions message={message} onReact={(emoji) => actions.react(message, emoji)} />
    </div>
  );
});

/** Who says it, beside the first of several. */
function Face({ message }: { message: Message }): ReactNode {
  const roost = useRoost();
  const member = useStore(roost.groups.details).get(message.conversation)?.members.find((row) => row.member === message.from);
  return <Avatar id={message.from} name={message.from_name} picture={member?.picture ?? ""} client={roost.client} size="small" />;
}

function Content({ message, kind, first, replied, find, actions, onJump, onView }: Props): ReactNode {
  const t = useT();
  const roost = useRoost();
  const only = message.text === "" && message.attachments.length > 0;
  return (
    <div className={only ? "bubble bare" : "bubble"}>
      {kind !== "direct" && first && message.from !== "me" ? (
        <span className={`author hue${hue(message.from)}`}><bdi>{cleanName(message.from_name)}</bdi><span className="visually-hidden">:</span></span>
      ) : (
        <span className="visually-hidden">{t("message.from", { name: cleanName(message.from_name || roost.nameOf(message.from)) })}</span>
      )}
      {message.forwarded && <span className="forwarded"><Icon name="forward" size={13} />{t("message.forwarded")}</span>}
      {message.reply_to !== null && <Quote message={replied} onJump={() => message.reply_to !== null && onJump(message.reply_to)} />}
      {message.attachments.length > 0 && <Attachments message={message} onView={(file) => onView(message, file)} />}
      <div className="said">
        {message.deleted ? (
          <p className="gone">{t("message.deleted")}</p>
        ) : (
          message.introduces !== "" ? (
            <p className="text">{t("introductions.meet", { name: cleanName(message.introduces) })}</p>
          ) : message.invites !== null ? <InvitedBox message={message} invites={message.invites} /> : message.poll !== null ? <PollBox message={message} poll={message.poll} /> : message.text !== "" && <div className={bigEmoji(message.text) ? "text big" : "text"}><Markup text={message.text} spans={message.spans} mentions={message.mentions} find={find} /></div>
        )}
        <Foot message={message} actions={actions} />
      </div>
    </div>
  );
}

function bigEmoji(text: string): boolean {
  return text.length <= 24 && /^(\p{Extended_Pictographic}|\p{Emoji_Component}|\s)+$/u.test(text) && /\p{Extended_Pictographic}/u.test(text);
}

function Foot({ message, actions }: { message: Message; actions: MessageActions }): ReactNode {
  const t = useT();
  const language = useLanguage();
  return (
    <span className="foot">
      {message.pinned && <span title={t("message.pinned")}><Icon name="pin" size={13} /><span className="visually-hidden">{t("message.pinned")}</span></span>}
      {message.expires_at !== null && <Icon name="timer" size={13} />}
      {message.edited && <button type="button" className="edited" onClick={() => actions.details(message)}>{t("message.edited")}</button>}
      <time dateTime={message.sent_at} title={full(message.sent_at, language)}>{clock(message.sent_at, language)}</time>
      {message.from === "me" && <Marks state={message.state} />}
    </span>
  );
}

export function Quote({ message, onJump }: { message: Message | undefined; onJump?: () => void }): ReactNode {
  const t = useT();
  const roost = useRoost();
  const text = message === undefined ? t("message.unavailable") : summary(message, t("message.deleted"));
  return (
    <button type="button" className="quote" onClick={onJump} disabled={message === undefined || !onJump}>
      {message && <bdi className="quote-name">{cleanName(message.from_name || roost.nameOf(message.from))}</bdi>}
      <span className="quote-text" dir="auto">{text}</span>
    </button>
  );
}

/** A message on one line. */
export function summary(message: Message, deleted: string): string {
  if (message.deleted) return deleted;
  if (message.introduces !== "") return `👋 ${cleanName(message.introduces)}`;
  if (message.invites !== null) return `👥 ${cleanName(message.invites.title)}`;
  const text = cleanText(covered(message.text.slice(0, 2000), message.spans)).replace(/\s+/gu, " ").slice(0, 200);
  if (message.poll !== null) return `📊 ${text}`;
  return text || message.attachments.map(named).join(", ");
}

function named(file: Attachment): string {
  if (file.voice_note) return `🎤 ${duration(file.duration_ms)}`;
  return isPicture(file) ? `📷 ${cleanName(file.name)}` : cleanName(file.name);
}

function Reactions({ message, onReact }: { message: Message; onReact: (emoji: string) => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const rows = Object.entries(message.reactions);
  if (rows.length === 0) return null;
  return (
    <div className="reactions">
      {rows.map(([emoji, who]) => {
        const mine = who.includes("me");
        const names = who.map((id) => cleanName(roost.nameIn(message.conversation, id))).join(", ");
        return (
          <button
            type="button"
            key={emoji}
            className={mine ? "reaction mine" : "reaction"}
            aria-pressed={mine}
            aria-label={t("reaction.by", { emoji, names })}
            title={names}
            onClick={() => onReact(mine ? "" : emoji)}
          >
            <span aria-hidden="true">{[...emoji].slice(0, 8).join("")}</span>
            {who.length > 1 && <span aria-hidden="true">{who.length}</span>}
          </button>
        );
      })}
    </div>
  );
}
