// swagger-start.js -- Starts Swagger UI on the page of the documentation, with what it lacks: a search over everything, one box for the one
// header, folded errors, code samples, and the dark mode that the reader's system asks for.

const isDark = matchMedia('(prefers-color-scheme: dark)');
const showScheme = () => document.documentElement.classList.toggle('dark-mode', isDark.matches);
isDark.addEventListener('change', showScheme);
showScheme();

/** All callers send the same header, so that one box is enough; who may call stays in each description. */
function withOneBox(openApi) {
  const { securitySchemes } = openApi.components;
  const kinds = Object.entries(securitySchemes).map(([name, { description }]) => `- **${name}**: ${description}`);
  const operations = Object.values(openApi.paths).flatMap((path) => Object.values(path));
  for (const operation of operations.filter(({ security }) => security?.length > 0)) {
    const callers = operation.security.flatMap((each) => Object.keys(each));
    operation.description = `For: ${callers.join(', ')}.\n\n${operation.description}`;
    operation.security = [{ bearer: [] }];
  }
  openApi.components.securitySchemes = {
    bearer: {
      type: 'http',
      scheme: 'bearer',
      description: `One header, \`Authorization: Bearer …\`, for all:\n\n${kinds.join('\n')}`,
    },
  };
  return openApi;
}

const oneBox = () => ({
  statePlugins: {
    spec: {
      wrapActions: { updateJsonSpec: (update) => (openApi) => update(openApi?.paths ? withOneBox(openApi) : openApi) },
    },
  },
});

/** Every word must be somewhere in an operation: its path, its texts, the codes that it answers. */
const searchEverything = ({ React }) => {
  const texts = new Map();
  const textOf = (operation) => {
    const id = operation.get('id');
    if (!texts.has(id)) texts.set(id, JSON.stringify(operation.toJS()).toLowerCase());
    return texts.get(id);
  };
  return {
    fn: {
      opsFilter: (groups, phrase) => {
        const words = phrase.toLowerCase().split(/\s+/).filter(Boolean);
        const matches = (operation) => words.every((word) => textOf(operation).includes(word));
        return groups
          .map((group) => group.update('operations', (operations) => operations.filter(matches)))
          .filter((group) => group.get('operations').size > 0);
      },
    },
    components: {
      FilterContainer: ({ layoutSelectors, layoutActions }) => {
        const filter = layoutSelectors.currentFilter();
        return React.createElement(
          'section',
          { className: 'filter wrapper', role: 'search' },
          React.createElement('input', {
            className: 'operation-filter-input',
            type: 'search',
            placeholder: 'Search: a path, a word, an error code',
            'aria-label': 'Search the operations',
            value: typeof filter === 'string' && filter !== 'true' ? filter : '',
            // Without a text everything is shown, and the field stays.
            onChange: ({ target }) => layoutActions.updateFilter(target.value === '' ? true : target.value),
          }),
        );
      },
    },
  };
};

/** Successes are shown; a refusal is a line with its codes until it is opened. */
const foldErrors = ({ React }) => ({
  wrapComponents: {
    response: (Response) =>
      function FoldableResponse(props) {
        const [isOpen, setOpen] = React.useState(false);
        if (Number(props.code) < 400) return React.createElement(Response, props);
        const examples = props.response.getIn(['content', 'application/problem+json', 'examples']);
        const codes = examples ? [...examples.keys()].join(', ') : 'an error';
        const toggle = React.createElement(
          'button',
          { type: 'button', className: 'fold', 'aria-expanded': isOpen, onClick: () => setOpen(!isOpen) },
          `${isOpen ? '▾' : '▸'} ${codes}`,
        );
        const line = React.createElement(
          'tr',
          { className: 'response' },
          React.createElement('td', { className: 'response-col_status' }, props.code),
          React.createElement('td', { colSpan: 2 }, toggle),
        );
        return React.createElement(React.Fragment, null, line, isOpen ? React.createElement(Response, props) : null);
      },
  },
});

/** What the document has under `x-codeSamples`, for the address of this page. */
const codeSamples = ({ React }) => {
  function Samples({ samples }) {
    const [chosen, choose] = React.useState(0);
    const buttons = samples.map(({ label }, i) =>
      React.createElement(
        'button',
        { key: label, type: 'button', className: 'sample', 'aria-pressed': i === chosen, onClick: () => choose(i) },
        label,
      ),
    );
    const source = samples[chosen].source.replaceAll('http://localhost:3000', location.origin);
    return React.createElement(
      'section',
      { className: 'samples' },
      React.createElement('h4', null, 'Code'),
      React.createElement('div', { role: 'group', 'aria-label': 'Language' }, buttons),
      React.createElement('pre', { tabIndex: 0 }, React.createElement('code', null, source)),
    );
  }
  return {
    wrapComponents: {
      parameters: (Parameters) => (props) => {
        const samples = props.operation?.get('x-codeSamples')?.toJS();
        const parameters = React.createElement(Parameters, props);
        if (!samples) return parameters;
        return React.createElement(React.Fragment, null, parameters, React.createElement(Samples, { samples }));
      },
    },
  };
};

SwaggerUIBundle({
  url: '/swagger/json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  tryItOutEnabled: true,
  filter: true,
  // By default the address of the document is sent to a validator on the internet.
  validatorUrl: null,
  plugins: [oneBox, searchEverything, foldErrors, codeSamples],
});
