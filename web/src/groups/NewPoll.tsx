import { useState, type ReactNode } from "react";
import type { Conversation } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { Button, Dialog, Field, IconButton, Switch } from "../ui/controls";

const MOST = 20;

/** A question to everybody in a conversation. */
export function NewPoll({ conversation, onClose }: { conversation: Conversation; onClose: () => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [question, setQuestion] = useState("");
  const [options, setOptions] = useState<string[]>(["", ""]);
  const [several, setSeveral] = useState(false);
  const [busy, setBusy] = useState(false);
  const given = [...new Set(options.map((option) => option.trim()).filter((option) => option !== ""))];
  const set = (index: number, value: string): void => {
    const next = options.map((option, at) => (at === index ? value : option));
    if (index === options.length - 1 && value !== "" && options.length < MOST) next.push(""); // there is always room for one more
    setOptions(next);
  };
  const ask = async (): Promise<void> => {
    setBusy(true);
    const worked = await roost.attemptTo(async () => {
      const { id } = await roost.client.call("ask-poll", { conversation: conversation.id, question: question.trim(), options: given, several });
      await roost.thread(conversation.id).fetch(id);
      roost.refreshConversations();
    });
    setBusy(false);
    if (worked) onClose();
  };
  return (
    <Dialog title={t("poll.new")} onClose={onClose}>
      <form onSubmit={(event) => { event.preventDefault(); void ask(); }}>
        <Field label={t("poll.question")} value={question} onChange={setQuestion} autoFocus maxLength={300} />
        <div className="poll-options">
          {options.map((option, index) => (
            <div key={index} className="poll-option-field">
              <Field label={t("poll.option", { n: index + 1 })} value={option} onChange={(value) => set(index, value)} maxLength={120} />
              {options.length > 2 && <IconButton icon="close" label={t("poll.without", { n: index + 1 })} onPress={() => setOptions(options.filter((_, at) => at !== index))} />}
            </div>
          ))}
        </div>
        <Switch label={t("poll.several")} on={several} onChange={setSeveral} />
        <div className="dialog-actions"><Button kind="primary" type="submit" disabled={busy || question.trim() === "" || given.length < 2}>{t("poll.ask")}</Button></div>
      </form>
    </Dialog>
  );
}
