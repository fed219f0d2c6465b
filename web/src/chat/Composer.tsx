import { useEffect, useLayoutEffect, useRef, useState, type ClipboardEvent, type KeyboardEvent, type ReactNode } from "react";
import { Button, Dialog, DialogTrigger, Popover } from "react-aria-components";
import type { Conversation, Message } from "../api/types";
import { whyNot } from "../groups/words";
import { useLanguage, useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { IconButton } from "../ui/controls";
import { EmojiGrid } from "../ui/EmojiGrid";
import { Icon } from "../ui/icons";
import { marked, parseMarkup } from "../ui/markup";
import { cleanName, duration, fileSize } from "../ui/text";
import { Quote } from "./Bubble";
import { FormatBar, markOf, withMark, type Mark } from "./FormatBar";
import { MENTIONS_LIST, MentionList, useMentions } from "./Mentions";
import { useRecorder } from "./recorder";
import { Wave } from "./VoiceNote";

interface Props {
  conversation: Conversation;
  replyTo: Message | null;
  editing: Message | null;
  files: File[];
  onFiles: (files: File[]) => void;
  onDone: () => void;
  onEditLast: () => void;
  onPoll: () => void;
}

const TYPING_EVERY_MS = 3000;
const DRAFT_AFTER_MS = 500;
const FOCUS_AFTER_MS = 40;
const SHOWN = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

export function Composer(props: Props): ReactNode {
  const { conversation, replyTo, editing, files, onFiles, onDone, onEditLast, onPoll } = props;
  const roost = useRoost();
  const t = useT();
  const { enterSends } = useStore(roost.preferences.choices);
  const [text, setText] = useState(conversation.draft);
  const [marking, setMarking] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const typedAt = useRef(0);
  const selection = useRef<[number, number] | null>(null);
  const recorder = useRecorder((file, voice) => void roost.outgoing.send(conversation.id, { files: [file], voice }));
  const mentions = useMentions(conversation, (from, to, letters) => {
    selection.current = [from + letters.length, from + letters.length];
    change(text.slice(0, from) + letters + text.slice(to));
  });
  useDraft(conversation.id, text, editing !== null);
  useGrow(area, text);

  useLayoutEffect(() => { // before the next key
    if (editing !== null) setText(marked(editing.text, editing.spans));
    area.current?.focus();
  }, [editing, replyTo]);

  useLayoutEffect(() => {
    if (selection.current !== null) area.current?.setSelectionRange(...selection.current);
    selection.current = null;
  }, [text]);

  const change = (value: string): void => {
    setText(value);
    const now = Date.now();
    if (value !== "" && editing === null && now - typedAt.current > TYPING_EVERY_MS) {
      typedAt.current = now;
      void roost.client.call("typing", { conversation: conversation.id, active: true }).catch(() => undefined);
    }
  };

  const submit = (): void => {
    const said = text.trim();
    if (editing !== null) {
      const { text: plain, spans } = parseMarkup(said);
      if (plain !== "" && said !== marked(editing.text, editing.spans)) {
        void roost.attemptTo(() => roost.client.call("edit", { id: editing.id, text: plain, spans }));
      }
    } else if (said !== "" || files.length > 0) {
      void roost.outgoing.send(conversation.id, { text: said, replyTo: replyTo?.id ?? null, files });
    } else {
      return;
    }
    setText("");
    typedAt.current = 0;
    onDone();
    area.current?.focus();
  };

  const format = (mark: Mark): void => {
    const element = area.current;
    if (element === null) return;
    const next = withMark(text, element.selectionStart, element.selectionEnd, mark);
    selection.current = [next.start, next.end];
    change(next.text);
    element.focus();
  };

  const key = (event: KeyboardEvent): void => {
    if (event.nativeEvent.isComposing || mentions.key(event)) return;
    const wanted = enterSends === "yes" ? !event.shiftKey : event.ctrlKey || event.metaKey;
    const mark = event.ctrlKey || event.metaKey ? markOf(event, area.current) : null;
    if (mark !== null) {
      event.preventDefault();
      format(mark);
    } else if (event.key === "Enter" && wanted) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape" && (editing !== null || replyTo !== null)) {
      event.preventDefault();
      if (editing !== null) setText("");
      onDone();
    } else if (event.key === "ArrowUp" && text === "") {
      onEditLast();
    }
  };

  const paste = (event: ClipboardEvent): void => {
    const pasted = [...event.clipboardData.files];
    if (pasted.length === 0) return;
    event.preventDefault();
    onFiles([...files, ...pasted]);
  };

  const insert = (letters: string): void => {
    const at = area.current?.selectionStart ?? text.length;
    selection.current = [at + letters.length, at + letters.length];
    change(text.slice(0, at) + letters + text.slice(at));
    window.setTimeout(() => area.current?.focus(), FOCUS_AFTER_MS); // once the picker has closed and given it back
  };

  if (conversation.state !== "accepted" || !conversation.may_post) return <NotYet conversation={conversation} />;
  return (
    <div className="composer">
      {(replyTo !== null || editing !== null) && (
        <div className="composer-above">
          <Icon name={editing === null ? "reply" : "edit"} />
          <Quote message={editing ?? replyTo ?? undefined} />
          <IconButton icon="close" label={t("common.cancel")} onPress={() => { if (editing !== null) setText(""); onDone(); }} />
        </div>
      )}
      {files.length > 0 && <Chosen files={files} onFiles={onFiles} />}
      {marking && <FormatBar onMark={format} />}
      <MentionList mentions={mentions} />
      {recorder.recording ? (
        <RecordingRow recorder={recorder} />
      ) : (
        <div className="composer-row">
          <input ref={picker} type="file" multiple hidden onChange={(event) => { onFiles([...files, ...(event.target.files ?? [])]); event.target.value = ""; }} />
          <IconButton icon="attach" label={t("composer.attach")} onPress={() => picker.current?.click()} />
          {conversation.kind !== "direct" && <span className="only-wide"><IconButton icon="poll" label={t("poll.new")} onPress={onPoll} /></span>}
          <textarea
            ref={area}
            rows={1}
            dir="auto"
            value={text}
            maxLength={60_000}
            placeholder={t("composer.placeholder")}
            aria-label={t("composer.label", { name: cleanName(conversation.name) })}
            onChange={(event) => change(event.target.value)}
            aria-autocomplete={conversation.kind === "group" ? "list" : undefined}
            aria-controls={mentions.active === undefined ? undefined : MENTIONS_LIST}
            aria-activedescendant={mentions.active}
            onSelect={(event) => {
              const { selectionStart, selectionEnd, value } = event.currentTarget;
              setMarking(selectionStart !== selectionEnd);
              mentions.look(value, selectionEnd);
            }}
            onKeyDown={key}
            onPaste={paste}
          />
          <EmojiButton onPick={insert} />
          {text.trim() === "" && files.length === 0 && recorder.possible ? (
            <IconButton icon="mic" label={t("voice.record")} onPress={recorder.start} />
          ) : (
            <Button className="send-button" aria-label={t("composer.send")} onPress={submit} isDisabled={text.trim() === "" && files.length === 0}>
              <Icon name="send" />
            </Button>
          )}
        </div>
      )}
    </div>
  );
}

function EmojiButton({ onPick }: { onPick: (emoji: string) => void }): ReactNode {
  const t = useT();
  const [open, setOpen] = useState(false);
  return (
    <DialogTrigger isOpen={open} onOpenChange={setOpen}>
      <Button className="icon-button" aria-label={t("composer.emoji")}><Icon name="smile" /></Button>
      <Popover className="popover" placement="top end">
        <Dialog aria-label={t("composer.emoji")} className="emoji-dialog"><EmojiGrid onPick={(emoji) => { setOpen(false); onPick(emoji); }} /></Dialog>
      </Popover>
    </DialogTrigger>
  );
}

function RecordingRow({ recorder }: { recorder: ReturnType<typeof useRecorder> }): ReactNode {
  const t = useT();
  return (
    <div className="composer-row recording">
      <span className="recording-dot" aria-hidden="true" />
      <span className="voice-time" role="timer">{duration(recorder.seconds * 1000)}</span>
      <span className="grow recording-wave"><Wave waveform={recorder.lately} share={0} /></span>
      <span className="visually-hidden" role="status">{t("voice.going")}</span>
      <IconButton icon="trash" label={t("voice.discard")} onPress={recorder.discard} />
      <IconButton icon="send" label={t("composer.send")} active onPress={recorder.finish} />
    </div>
  );
}

function NotYet({ conversation }: { conversation: Conversation }): ReactNode {
  const t = useT();
  const name = cleanName(conversation.name);
  if (conversation.kind !== "direct") return <p className="composer-note">{t(whyNot(conversation))}</p>;
  return <p className="composer-note">{conversation.state === "blocked" ? t("contact.blockedNote", { name }) : t("contact.requestedNote", { name })}</p>;
}

function Chosen({ files, onFiles }: { files: File[]; onFiles: (files: File[]) => void }): ReactNode {
  const t = useT();
  const language = useLanguage();
  return (
    <ul className="chosen" aria-label={t("composer.files")}>
      {files.map((file, index) => (
        <li key={index}>
          <ChosenSign file={file} />
          <bdi className="grow">{cleanName(file.name, 40)}</bdi>
          <span className="hint">{fileSize(file.size, language)}</span>
          <IconButton icon="close" label={t("composer.removeFile", { name: cleanName(file.name, 40) })} onPress={() => onFiles(files.filter((_, at) => at !== index))} />
        </li>
      ))}
    </ul>
  );
}

function ChosenSign({ file }: { file: File }): ReactNode {
  const [url, setUrl] = useState("");
  useEffect(() => {
    if (!SHOWN.has(file.type)) return;
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  return url === "" ? <Icon name="file" size={18} /> : <img className="chosen-picture" src={url} alt="" />;
}

/** What is typed is kept in the profile, a moment after the last key. */
function useDraft(conversation: string, text: string, editing: boolean): void {
  const roost = useRoost();
  const kept = useRef(text);
  const latest = useRef(text);
  latest.current = editing ? kept.current : text;
  useEffect(() => {
    const keep = (): void => {
      if (latest.current === kept.current) return;
      kept.current = latest.current;
      void roost.client.call("arrange", { conversation, draft: latest.current }).then((row) => roost.put(row)).catch(() => undefined);
    };
    const timer = window.setTimeout(keep, DRAFT_AFTER_MS);
    return () => window.clearTimeout(timer);
  }, [roost, conversation, text]);
  useEffect(
    () => () => {
      if (latest.current === kept.current) return;
      void roost.client.call("arrange", { conversation, draft: latest.current }).then((row) => roost.put(row)).catch(() => undefined);
    },
    [roost, conversation],
  );
}

function useGrow(area: { current: HTMLTextAreaElement | null }, text: string): void {
  useLayoutEffect(() => {
    const element = area.current;
    if (element === null) return;
    element.style.height = "auto";
    element.style.height = `${Math.min(element.scrollHeight, 180)}px`;
  }, [area, text]);
}
