import { useCallback, useEffect, useMemo, useRef, useState, type DragEvent, type ReactNode } from "react";
import type { Attachment, Conversation, Message } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { notify } from "../state/toasts";
import { BanAuthor } from "../groups/ChannelDialogs";
import { NewPoll } from "../groups/NewPoll";
import { cleanName } from "../ui/text";
import { marked } from "../ui/markup";
import type { Target } from "./anchor";
import { Composer } from "./Composer";
import { DateDialog, DeleteDialog, DetailsDialog, ForwardDialog } from "./dialogs";
import { ChatHead } from "./ChatHead";
import { FindBar } from "./FindBar";
import { ForeignNetwork } from "./ForeignNetwork";
import { MessageList } from "./MessageList";
import type { MessageActions } from "./MessageMenu";
import { PinBar } from "./PinBar";
import { SelectionBar } from "./SelectionBar";
import { Viewer } from "./Viewer";

interface Props {
  conversation: Conversation;
  target: string | null;
  panel: boolean;
  onPanel: (open: boolean) => void;
  onBack: () => void;
}

type Open =
  | { kind: "delete" | "forward"; messages: Message[] }
  | { kind: "details"; message: Message }
  | { kind: "view"; message: Message; file: Attachment }
  | { kind: "date" | "poll" }
  | { kind: "ban"; message: Message }
  | null;

/** One conversation: its head, its history, and where one writes. */
export function Chat({ conversation, target, panel, onPanel, onBack }: Props): ReactNode {
  const roost = useRoost();
  const t = useT();
  const thread = roost.thread(conversation.id);
  const [replyTo, setReplyTo] = useState<Message | null>(null);
  const [editing, setEditing] = useState<Message | null>(null);
  const [files, setFiles] = useState<File[]>([]);
  const [open, setOpen] = useState<Open>(null);
  const [find, setFind] = useState<string | null>(null);
  const [selected, setSelected] = useState<ReadonlySet<string> | null>(null);
  const [jump, setJump] = useState<Target | null>(null);
  const [dragging, setDragging] = useState(false);
  const serial = useRef(0);

  const goTo = useCallback(
    async (id: string): Promise<void> => {
      if (thread.has(id) || (await thread.open(id))) setJump({ id, serial: ++serial.current });
    },
    [thread],
  );

  useEffect(() => {
    if (target !== null) void roost.attemptTo(() => goTo(target));
    else void roost.attemptTo(() => thread.enter(conversation.unread, conversation.first_unread));
    // Only when another conversation or target is opened, not when its row changes.
  }, [thread, target]);

  const actions = useMemo<MessageActions>(
    () => ({
      reply: (message) => { setEditing(null); setReplyTo(message); },
      edit: (message) => { setReplyTo(null); setEditing(message); },
      react: (message, emoji) => void roost.attemptTo(() => roost.client.call("react", { id: message.id, emoji })),
      copy: (message) => void navigator.clipboard.writeText(marked(message.text, message.spans)).then(() => notify(t("message.copied"))),
      pin: (message) => void roost.attemptTo(() => roost.client.call("pin", { id: message.id, pinned: !message.pinned })),
      forward: (message) => setOpen({ kind: "forward", messages: [message] }),
      details: (message) => setOpen({ kind: "details", message }),
      remove: (message) => setOpen({ kind: "delete", messages: [message] }),
      ban: (message) => setOpen({ kind: "ban", message }),
      select: (message) => setSelected((chosen) => toggled(chosen ?? new Set(), message.id)),
    }),
    [roost, t],
  );

  const done = (): void => {
    setReplyTo(null);
    setEditing(null);
    setFiles([]);
  };
  const editLast = (): void => {
    if (roost.outgoing.pending.get().some((row) => row.conversation === conversation.id)) return; // the last one is not there yet
    const last = thread.state.get().messages.findLast((message) => message.from === "me" && !message.deleted && message.text !== "");
    if (last) actions.edit(last);
  };
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setDragging(false);
    setFiles((held) => [...held, ...event.dataTransfer.files]);
  };
  const chosen = (): Message[] => thread.state.get().messages.filter((message) => selected?.has(message.id));

  return (
    <section
      className="chat"
      aria-label={conversation.name}
      onDragOver={(event) => { event.preventDefault(); setDragging(true); }}
      onDragLeave={(event) => { if (event.currentTarget === event.target) setDragging(false); }}
      onDrop={drop}
    >
      <ChatHead conversation={conversation} panel={panel} onPanel={onPanel} onBack={onBack} onFind={() => setFind("")} onDate={() => setOpen({ kind: "date" })} onPoll={() => setOpen({ kind: "poll" })} />
      <PinBar conversation={conversation.id} onJump={(id) => void roost.attemptTo(() => goTo(id))} />
      <ForeignNetwork conversation={conversation} />
      {find !== null && <FindBar conversation={conversation.id} words={find} onWords={setFind} onGo={(id) => void goTo(id)} onClose={() => setFind(null)} />}
      <MessageList
        thread={thread}
        kind={conversation.kind}
        find={find ?? ""}
        target={jump}
        selected={selected}
        actions={actions}
        onJump={(id) => void roost.attemptTo(() => goTo(id))}
        onView={(message, file) => setOpen({ kind: "view", message, file })}
      />
      {selected === null ? (
        <Composer key={conversation.id} conversation={conversation} replyTo={replyTo} editing={editing} files={files} onFiles={setFiles} onDone={done} onEditLast={editLast} onPoll={() => setOpen({ kind: "poll" })} />
      ) : (
        <SelectionBar
          count={selected.size}
          onForward={() => setOpen({ kind: "forward", messages: chosen() })}
          onDelete={() => setOpen({ kind: "delete", messages: chosen() })}
          onCopy={() => void navigator.clipboard.writeText(chosen().map((message) => marked(message.text, message.spans)).join("\n")).then(() => notify(t("message.copied")))}
          onClose={() => setSelected(null)}
        />
      )}
      {dragging && <div className="drop-here">{t("composer.drop")}</div>}
      <Opened open={open} conversation={conversation} onClose={() => { setOpen(null); setSelected(null); }} onDate={(date) => void thread.openAt(date).then((id) => id && setJump({ id, serial: ++serial.current }))} />
    </section>
  );
}

function toggled(set: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(id)) next.add(id);
  return next;
}

function Opened({ open, conversation, onClose, onDate }: { open: Open; conversation: Conversation; onClose: () => void; onDate: (date: Date) => void }): ReactNode {
  switch (open?.kind) {
    case "delete":
      return <DeleteDialog conversation={conversation} messages={open.messages} onClose={onClose} />;
    case "forward":
      return <ForwardDialog messages={open.messages} onClose={onClose} />;
    case "details":
      return <DetailsDialog message={open.message} onClose={onClose} />;
    case "view":
      return <Viewer message={open.message} file={open.file} onClose={onClose} />;
    case "poll":
      return <NewPoll conversation={conversation} onClose={onClose} />;
    case "ban":
      return <BanAuthor channel={conversation.id} pseudonym={open.message.from} name={cleanName(open.message.from_name)} onClose={onClose} />;
    case "date":
      return <DateDialog onPick={onDate} onClose={onClose} />;
    default:
      return null;
  }
}
