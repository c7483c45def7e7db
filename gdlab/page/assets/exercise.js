// A question, the judgement of an answer, and the figure that is unsealed by it.

const SLIGHTLY = 5; // tolerances by which an answer is only a little off
const MUCH = 10; // the factor from which on it is much too large or too small

function paragraphs(words) {
  return words.split(/\n\s*\n/).filter((part) => part.trim()).map((part) => element("p", {}, part.trim().replace(/\s+/g, " ")));
}

// 0.08, .08, 0,08, 8e-2 or 2/25; NaN for anything else, as for 1,000, which is one or a thousand.
function readNumber(written) {
  if (/(^|[^\d.,])[1-9]\d{0,2}(,\d{3})+(?!\d)/.test(written)) return NaN;
  const parts = written.replace(/\s/g, "").replace(/−/g, "-").replace(/,/g, ".").split("/");
  const numbers = parts.map((part) => (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(part) ? Number(part) : NaN));
  if (numbers.length > 2) return NaN;
  const number = numbers[0] / (numbers[1] ?? 1);
  return Number.isFinite(number) ? number : NaN;
}

// What is wrong with a number, in a direction; empty if nothing is.
function faultOf(number) {
  const { answer, tolerance } = EXERCISE;
  const room = tolerance * (Math.abs(answer) || 1);
  const off = number - answer;
  if (Math.abs(off) <= room) return "";
  const way = off > 0 ? "large" : "small";
  if (Math.abs(off) <= SLIGHTLY * room) return `A little too ${way}.`;
  const [less, more] = [Math.abs(number), Math.abs(answer)].sort((a, b) => a - b);
  return answer !== 0 && (number * answer <= 0 || more > MUCH * less) ? `Much too ${way}.` : `Too ${way}.`;
}

function judge() {
  if (EXERCISE.choices) {
    const chosen = document.querySelector("input[name=choice]:checked");
    if (!chosen) return { fault: "Choose one first.", counts: false };
    const [choice, hint] = EXERCISE.choices[chosen.value];
    return { fault: choice === EXERCISE.answer ? "" : "Not this one.", hint, counts: true };
  }
  const number = readNumber($("number").value);
  if (Number.isNaN(number)) return { fault: "Type a number, such as 0.25, 1/4 or 1000.", counts: false };
  return { fault: faultOf(number), hint: EXERCISE.hint, counts: true };
}

function say(kind, words, more = "") {
  $("judgement").className = kind;
  $("judgement").replaceChildren(words, ...(more ? [" ", element("span", {}, more)] : []));
}

function answerText() {
  const { answer, choices, unit } = EXERCISE;
  return choices ? answer : [text(answer, 4), unit].filter(Boolean).join(" ");
}

function check() {
  if ($("check").hidden) return;
  const { fault, hint = "", counts } = judge();
  if (!fault) return reveal("right", `Right: ${answerText()}.`);
  say("wrong", fault, counts ? hint : "");
  if (counts) $("give-up").hidden = false;
}

function reveal(kind, words) {
  say(kind, words);
  // A button that had the focus is gone.
  if (document.activeElement.matches("button")) $("judgement").focus();
  $("give-up").hidden = true;
  $("check").hidden = true;
  for (const input of $("given").querySelectorAll("input")) input.toggleAttribute(input.type === "radio" ? "disabled" : "readonly", true);
  $("explanation").replaceChildren(...paragraphs(EXERCISE.explanation));
  $("explanation").hidden = !EXERCISE.explanation;
  document.body.classList.remove("sealed");
  document.dispatchEvent(new Event("answered"));
  // What was hidden runs now.
  if (EXERCISE.hides !== "sliders" && $("play")?.ariaPressed === "false") $("play").click();
}

function givenAnswer() {
  if (!EXERCISE.choices) {
    const number = element("input", { type: "text", id: "number", inputmode: "decimal", autocomplete: "off", "aria-describedby": "judgement" });
    return [element("label", {}, "Your answer", number, EXERCISE.unit)];
  }
  return EXERCISE.choices.map(([choice], i) => element("label", {}, element("input", { type: "radio", name: "choice", value: i }), choice));
}

document.body.classList.add("sealed", `hides-${EXERCISE.hides}`);
$("task").append(...paragraphs(EXERCISE.question));
$("given").append(...givenAnswer());
$("given").setAttribute("role", EXERCISE.choices ? "radiogroup" : "group");
$("given").setAttribute("aria-labelledby", "task");
$("check").addEventListener("click", check);
$("give-up").addEventListener("click", () => reveal("", `The answer is ${answerText()}.`));
// The keys that control the figure are letters of an answer here. There is no form, because the frame
// of a notebook may not submit one.
document.querySelector(".exercise").addEventListener("keydown", (event) => {
  event.stopPropagation();
  if (event.key === "Enter" && event.target.matches("input")) check();
});
