import { Fragment, useEffect, useState, type ReactNode } from "react";
import type { Conversation, Hop, Message, MessageDetails, NetworkKind } from "../api/types";
import { mayDelete } from "../groups/rights";
import { useLanguage, useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { notify } from "../state/toasts";
import { Avatar } from "../ui/Avatar";
import { Button, Dialog, Field } from "../ui/controls";
import { Markup } from "../ui/Markup";
import { cleanName } from "../ui/text";
import { full } from "../ui/times";

export function DeleteDialog({ conversation, messages, onClose }: { conversation: Conversation; messages: Message[]; onClose: () => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const mine = messages.every((message) => mayDelete(conversation, message));
  const others = messages.some((message) => message.from !== "me");
  const remove = (everyone: boolean): void => {
    onClose();
    void roost.attemptTo(async () => {
      for (const message of messages) {
        await roost.client.call("delete-message", { id: message.id, everyone });
        const thread = roost.thread(message.conversation);
        if (everyone) thread.replace(message.id, (held) => ({ ...held, deleted: true, text: "", attachments: [], reactions: {}, poll: null }));
        else thread.remove(message.id);
      }
      roost.refreshConversations();
    });
  };
  return (
    <Dialog title={t("delete.title.other", { n: messages.length })} onClose={onClose}>
      <p>{t(!mine ? "delete.theirs" : others ? "delete.everyoneAsModerator" : "delete.mine")}</p>
      <div className="dialog-actions">
        <Button onPress={onClose}>{t("common.cancel")}</Button>
        <Button kind="danger" onPress={() => remove(false)}>{t("delete.here")}</Button>
        {mine && <Button kind="danger" onPress={() => remove(true)}>{t("delete.everyone")}</Button>}
      </div>
    </Dialog>
  );
}

export function ForwardDialog({ messages, onClose }: { messages: Message[]; onClose: () => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [find, setFind] = useState("");
  const rows = [...useStore(roost.conversations).values()].filter(
    (row) => row.state === "accepted" && row.may_post && row.name.toLocaleLowerCase().includes(find.toLocaleLowerCase()),
  );
  const forward = (to: string, name: string): void => {
    onClose();
    void roost.attemptTo(async () => {
      for (const message of messages) {
        const sent = await roost.client.call("forward", { id: message.id, to });
        await roost.thread(to).fetch(sent.id);
      }
      roost.refreshConversations();
      notify(t("forward.done", { name }));
    });
  };
  return (
    <Dialog title={t("forward.title")} onClose={onClose}>
      <Field label={t("list.search")} value={find} onChange={setFind} autoFocus />
      <ul className="pick-list">
        {rows.map((row) => (
          <li key={row.id}>
            <button type="button" onClick={() => forward(row.id, cleanName(row.name))}>
              <Avatar id={row.id} name={row.name} picture={row.picture} client={roost.client} size="small" />
              <bdi>{cleanName(row.name)}</bdi>
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

const STORED: Partial<Record<NetworkKind, "handed" | "kept">> = { direct: "handed", onion: "kept" };

export function DetailsDialog({ message, onClose }: { message: Message; onClose: () => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const language = useLanguage();
  const [details, setDetails] = useState<MessageDetails | null>(null);
  useEffect(() => {
    void roost.client.call("details", { id: message.id }).then(setDetails).catch(() => undefined);
  }, [roost, message]);
  const shown = details?.message ?? message;
  const apart = useStore(roost.conversations).get(message.conversation);
  const meets = shown.network === "direct" && apart?.network === "direct" && apart.near === "" && apart.kind === "direct" && !apart.held;
  const times: ["details.stored_at" | "details.handed_at" | "details.kept_at" | "details.delivered_at" | "details.read_at", string | null][] =
    shown.from === "me"
      ? [[`details.${STORED[shown.network] ?? "stored"}_at`, details?.stored_at ?? null], ["details.delivered_at", details?.delivered_at ?? null], ["details.read_at", details?.read_at ?? null]]
      : [["details.read_at", details?.read_at ?? null]];
  return (
    <Dialog title={t("message.details")} onClose={onClose}>
      <dl className="facts">
        <dt>{t("details.sent")}</dt>
        <dd>{full(shown.sent_at, language)}</dd>
        {shown.from !== "me" && (<><dt>{t("details.received")}</dt><dd>{full(shown.received_at, language)}</dd></>)}
        {times.map(([label, at]) => at && (<Fragment key={label}><dt>{t(label)}</dt><dd>{full(at, language)}</dd></Fragment>))}
        {details?.edited_at && (<><dt>{t("details.edited")}</dt><dd>{full(details.edited_at, language)}</dd></>)}
        {shown.state !== "received" && shown.from === "me" && (<><dt>{t("details.state")}</dt><dd>{t(meets && shown.state === "queued" ? "state.queuedMeet" : `state.${shown.state}`)}</dd></>)}
        <dt>{t("details.network")}</dt>
        <dd>{t(`network.${shown.network}`)}</dd>
        {details !== null && shown.network !== "direct" && shown.network !== "onion" && details.hops.length > 2 && <dd className="way"><Way hops={details.hops} /></dd>}
        {shown.expires_at && (<><dt>{t("details.expires")}</dt><dd>{full(shown.expires_at, language)}</dd></>)}
        {details !== null && details.readers.length > 0 && (<><dt>{t("details.readBy")}</dt><dd>{details.readers.map((row) => cleanName(row.name)).join(", ")}</dd></>)}
        {details?.waiting.map((row, index) => (
          <dd key={index}>{t(row.stored ? `details.${STORED[shown.network] ?? "stored"}` : meets ? "details.waitingMeet" : "details.waiting", { name: row.name === "me" ? t("common.you") : cleanName(row.name) })}</dd>
        ))}
      </dl>
      {details !== null && details.edits.length > 0 && (
        <>
          <h3>{t("details.edits")}</h3>
          {details.edits.map((text, index) => (<div key={index} className="old-text"><Markup text={text} /></div>))}
        </>
      )}
    </Dialog>
  );
}

/** The stations that a message passed, as far as they are known here. */
function Way({ hops }: { hops: Hop[] }): ReactNode {
  const t = useT();
  return (
    <ol className="hops">
      {hops.map((hop, index) => (
        <li key={index}><bdi>{hop.party === "me" ? t("party.me") : cleanName(hop.name)}</bdi></li>
      ))}
    </ol>
  );
}

export function DateDialog({ onPick, onClose }: { onPick: (date: Date) => void; onClose: () => void }): ReactNode {
  const t = useT();
  const [value, setValue] = useState("");
  const date = new Date(`${value}T00:00:00`);
  const good = value !== "" && !Number.isNaN(date.getTime());
  return (
    <Dialog title={t("chat.jumpToDate")} onClose={onClose}>
      <form onSubmit={(event) => { event.preventDefault(); if (good) { onPick(date); onClose(); } }}>
        <Field label={t("chat.date")} type="date" value={value} onChange={setValue} autoFocus />
        <div className="dialog-actions"><Button kind="primary" type="submit" disabled={!good}>{t("chat.jump")}</Button></div>
      </form>
    </Dialog>
  );
}
