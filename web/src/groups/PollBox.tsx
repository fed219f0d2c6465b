import { type ReactNode } from "react";
import type { Poll } from "../api/groups";
import type { Message } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { Icon } from "../ui/icons";
import { cleanName, cleanText } from "../ui/text";

/** A question, how it stands, and one's own choice, which can be changed. */
export function PollBox({ message, poll }: { message: Message; poll: Poll }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const voters = new Set(poll.options.flatMap((option) => option.votes));
  const mine = poll.options.flatMap((option, index) => (option.votes.includes("me") ? [index] : []));
  const choose = (index: number): void => {
    const had = mine.includes(index);
    const options = had ? mine.filter((at) => at !== index) : poll.several ? [...mine, index] : [index];
    void roost.attemptTo(async () => {
      await roost.client.call("vote", { id: message.id, options });
      const now = await roost.client.call("show", { id: message.id });
      roost.thread(message.conversation).replace(message.id, () => now);
    });
  };
  const question = cleanText(poll.question);
  return (
    <div className="poll" role="group" aria-label={question}>
      <p className="poll-question"><bdi>{question}</bdi></p>
      <p className="poll-how">{t(poll.several ? "poll.chooseSome" : "poll.chooseOne")}</p>
      {poll.options.map((option, index) => {
        const chosen = mine.includes(index);
        const share = voters.size === 0 ? 0 : option.votes.length / voters.size;
        const names = option.votes.slice(0, 20).map((who) => (who === "me" ? t("member.you") : cleanName(roost.nameIn(message.conversation, who)))).join(", ");
        return (
          <button key={index} type="button" className={chosen ? "poll-option voted" : "poll-option"} aria-pressed={chosen} title={names} onClick={() => choose(index)}>
            <span className="poll-mark" aria-hidden="true">{chosen && <Icon name="check" size={14} />}</span>
            <bdi className="poll-text">{cleanName(option.text, 200)}</bdi>
            <span className="poll-count">{option.votes.length}<span className="visually-hidden"> {t("poll.votes.other", { n: option.votes.length })}{names === "" ? "" : `: ${names}`}</span></span>
            <span className="poll-bar" aria-hidden="true"><span style={{ inlineSize: `${Math.round(share * 100)}%` }} /></span>
          </button>
        );
      })}
      <p className="poll-how">{t("poll.voters.other", { n: voters.size })}</p>
    </div>
  );
}
