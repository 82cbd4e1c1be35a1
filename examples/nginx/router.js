// Asks `vsr-train serve` which model answers a request for `auto`, and sends the request there; others go as they are.

async function choose(r) {
    let request;
    try {
        request = JSON.parse(r.requestText);
    } catch (error) {
        return refuse(r, 400, 'the body is no JSON');
    }
    if (request === null || typeof request !== 'object' || typeof request.model !== 'string') {
        return refuse(r, 400, 'expected a request of /v1/chat/completions, with a model');
    }
    const ranking = request.model === 'auto' ? await rank(r, request) : [request.model];
    const second = ranking[1] || ranking[0];
    r.variables.first_model = ranking[0];
    r.variables.first_body = JSON.stringify(Object.assign({}, request, { model: ranking[0] }));
    r.variables.second_model = second;
    r.variables.second_body = JSON.stringify(Object.assign({}, request, { model: second }));
    if (!r.variables.first_upstream) {
        return refuse(r, 404, `the model ${ranking[0]} does not exist`);
    }
    r.internalRedirect('@first');
}

// The models to ask, best first: the default alone where the router does not answer in time.
async function rank(r, request) {
    const body = JSON.stringify({ messages: request.messages });
    const answer = await r.subrequest('/_select', { method: 'POST', body: body });
    if (answer.status !== 200) {
        r.warn(`no choice (${answer.status}): ${answer.responseText}`);
        return [r.variables.default_model];
    }
    const choice = JSON.parse(answer.responseText);
    r.variables.choice_id = choice.id;
    return choice.ranking;
}

function refuse(r, code, message) {
    r.headersOut['Content-Type'] = 'application/json';
    r.return(code, JSON.stringify({ error: { message: message, type: 'invalid_request_error' } }));
}

export default { choose };
