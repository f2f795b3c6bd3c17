/** An ESLint rule: a handler that compares keys first asks whether an input method is using them. */

const HANDLER = /KeyboardEvent/;

/** @type {import("eslint").Rule.RuleModule} */
const asksFirst = {
  meta: {
    type: "problem",
    messages: {
      composes: "Input methods use Enter, Escape and arrows themselves: ask composes(event) of ui/input_method before comparing its key.",
    },
  },
  create(context) {
    const functions = [];
    const text = (node) => context.sourceCode.getText(node);
    const enter = (node) => functions.push({ node, event: node.params.find((one) => HANDLER.test(text(one)))?.name, reads: false });
    const leave = () => {
      const { node, event, reads } = functions.pop();
      if (reads && !text(node.body).includes(`composes(${event})`)) context.report({ node, messageId: "composes" });
    };
    return {
      ":function": enter,
      ":function:exit": leave,
      "MemberExpression[property.name='key'] > Identifier.object"({ name }) {
        // A nested function reads the event of the handler around it.
        const handler = functions.findLast(({ event }) => event === name);
        if (handler) handler.reads = true;
      },
      "SvelteAttribute[key.name=/^onkey/] :function > :matches(ObjectPattern, Identifier).params"(node) {
        if (!HANDLER.test(text(node))) context.report({ node, messageId: "composes" });
      },
      ":function > ObjectPattern.params"(node) {
        if (HANDLER.test(text(node))) context.report({ node, messageId: "composes" });
      },
    };
  },
};

export const composing = { plugins: { composing: { rules: { "asks-first": asksFirst } } }, rules: { "composing/asks-first": "error" } };
