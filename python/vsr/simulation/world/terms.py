"""Technical terms, and the people behind them: tables of facts for the humanities, health, law and business."""

from vsr.simulation.world.facts import Facts

ECONOMIC_TERMS = Facts(
    ("In economics, what is the term for {}?", "Which word do economists use for {}?"),
    {
        "a general rise of prices over time": "inflation",
        "a general fall of prices over time": "deflation",
        "a market with a single seller": "monopoly",
        "a market with a single buyer": "monopsony",
        "a market with a few large sellers": "oligopoly",
        "the value of the best alternative that was given up": "opportunity cost",
        "a tax on imported goods": "tariff",
        "a payment by the state that lowers the price of a good": "subsidy",
        "a cost or benefit that falls on somebody who did not choose it": "externality",
        "taking more risk because somebody else bears the loss": "moral hazard",
        "government decisions about taxes and spending": "fiscal policy",
        "central bank decisions about interest rates and money": "monetary policy",
    },
)

ECONOMISTS = Facts(
    ("Which economist wrote {}?", "Who is the author of the economic work {}?"),
    {
        "The Wealth of Nations": "Adam Smith",
        "The General Theory of Employment, Interest and Money": "John Maynard Keynes",
        "Das Kapital": "Karl Marx",
        "On the Principles of Political Economy and Taxation": "David Ricardo",
        "The Road to Serfdom": "Friedrich Hayek",
        "Capitalism and Freedom": "Milton Friedman",
        "An Essay on the Principle of Population": "Thomas Malthus",
        "The Theory of the Leisure Class": "Thorstein Veblen",
    },
)

DEFICIENCIES = Facts(
    ("A lack of which vitamin causes {}?", "Which vitamin should a patient with {} be given?"),
    {
        "scurvy": "vitamin C",
        "rickets": "vitamin D",
        "night blindness": "vitamin A",
        "beriberi": "vitamin B1",
        "pellagra": "vitamin B3",
        "pernicious anaemia": "vitamin B12",
    },
)

SPECIALISTS = Facts(
    ("Which medical specialist treats diseases of {}?", "A patient has a disease of {}. Which doctor is responsible?"),
    {
        "the heart": "cardiologist",
        "the skin": "dermatologist",
        "the kidneys": "nephrologist",
        "the nervous system": "neurologist",
        "the eyes": "ophthalmologist",
        "the liver": "hepatologist",
        "the lungs": "pulmonologist",
        "the blood": "haematologist",
        "the hormone glands": "endocrinologist",
        "the stomach and bowel": "gastroenterologist",
        "the joints and autoimmune system": "rheumatologist",
    },
)

CLINICAL_DEVICES = Facts(
    ("Which device does a nurse or doctor use to {}?", "In a clinic, with what do you {}?"),
    {
        "listen to the heart and lungs": "stethoscope",
        "measure blood pressure": "sphygmomanometer",
        "look into the ear": "otoscope",
        "look at the retina": "ophthalmoscope",
        "measure the oxygen saturation of the blood at a finger": "pulse oximeter",
        "record the electrical activity of the heart": "electrocardiograph",
        "record the electrical activity of the brain": "electroencephalograph",
    },
)

PSYCHOLOGISTS = Facts(
    ("Which psychologist is known for {}?", "Whose name does psychology connect with {}?"),
    {
        "classical conditioning of salivating dogs": "Ivan Pavlov",
        "operant conditioning in a box with a lever": "B. F. Skinner",
        "the stages of cognitive development in children": "Jean Piaget",
        "psychoanalysis and the id, ego and superego": "Sigmund Freud",
        "the hierarchy of needs": "Abraham Maslow",
        "the obedience experiments with electric shocks": "Stanley Milgram",
        "the Bobo doll experiment": "Albert Bandura",
        "the collective unconscious": "Carl Jung",
        "the Strange Situation test of attachment": "Mary Ainsworth",
        "the line-judgement experiments on conformity": "Solomon Asch",
        "the Stanford prison experiment": "Philip Zimbardo",
        "the forgetting curve": "Hermann Ebbinghaus",
        "wire and cloth mothers for infant monkeys": "Harry Harlow",
        "eight stages of psychosocial development": "Erik Erikson",
    },
)

BIASES = Facts(
    ("Which psychological effect is this: {}?", "What do psychologists call the tendency of {}?"),
    {
        "looking for evidence that supports what one believes": "confirmation bias",
        "leaning on the first number one has heard": "anchoring",
        "judging how frequent something is by how easily it comes to mind": "availability heuristic",
        "feeling afterwards that one knew it all along": "hindsight bias",
        "judging a whole person by one good trait": "halo effect",
        "helping less when many others are present": "bystander effect",
        "explaining the behaviour of others by character, not situation": "fundamental attribution error",
        "feeling better after a treatment without active substance": "placebo effect",
        "carrying on because so much has been invested already": "sunk cost fallacy",
    },
)

PHOBIAS = Facts(
    ("What is a person with {} afraid of?", "Of what is a patient afraid whose therapist speaks of {}?"),
    {
        "arachnophobia": "spiders",
        "acrophobia": "heights",
        "claustrophobia": "confined spaces",
        "ophidiophobia": "snakes",
        "cynophobia": "dogs",
        "nyctophobia": "darkness",
        "hemophobia": "blood",
        "ailurophobia": "cats",
    },
    ("What is the name of the phobia of {}?",),
)

LEGAL_LATIN = Facts(
    ("What does the legal term '{}' mean?", "A judgment uses the Latin words '{}'. What do they say?"),
    {
        "mens rea": "a guilty mind",
        "actus reus": "a guilty act",
        "stare decisis": "to stand by what was decided",
        "res judicata": "a matter that has already been judged",
        "caveat emptor": "let the buyer beware",
        "amicus curiae": "a friend of the court",
        "prima facie": "at first sight",
        "ex post facto": "from after the deed",
        "sub judice": "under consideration by a court",
        "ultra vires": "beyond one's powers",
        "bona fide": "in good faith",
        "in camera": "in private",
    },
    ("Which Latin legal term stands for '{}'?",),
)

LEGAL_TERMS = Facts(
    ("In law, what is the word for {}?", "What does a lawyer call {}?"),
    {
        "the party that brings a civil lawsuit": "plaintiff",
        "the party against whom a lawsuit is brought": "defendant",
        "a false written statement that damages a reputation": "libel",
        "a false spoken statement that damages a reputation": "slander",
        "lying in court under oath": "perjury",
        "setting fire to property on purpose": "arson",
        "stealing money that one was trusted with": "embezzlement",
        "an order of a court to stop doing something": "injunction",
        "an earlier decision that later courts follow": "precedent",
        "a formal order to appear in court as a witness": "subpoena",
        "failing to take the care that a reasonable person takes": "negligence",
        "money or security given for release before the trial": "bail",
    },
)

ABBREVIATIONS = Facts(
    ("In business, what does the abbreviation {} stand for?", "A manager's report mentions {}. What is that?"),
    {
        "ROI": "return on investment",
        "KPI": "key performance indicator",
        "B2B": "business to business",
        "IPO": "initial public offering",
        "CRM": "customer relationship management",
        "COGS": "cost of goods sold",
        "SKU": "stock keeping unit",
        "CFO": "chief financial officer",
        "M&A": "mergers and acquisitions",
        "SaaS": "software as a service",
        "CAGR": "compound annual growth rate",
        "RFP": "request for proposal",
    },
)

BUSINESS_TERMS = Facts(
    ("What do companies call {}?", "Which business term describes {}?"),
    {
        "what remains of revenue after all costs": "profit",
        "the value of what a company owns minus what it owes": "equity",
        "the loss of value of a machine over the years": "depreciation",
        "a share of the profit paid to the shareholders": "dividend",
        "a list of all goods in stock": "inventory",
        "paying an outside firm to do part of the work": "outsourcing",
        "the share of customers that leave in a year": "churn rate",
        "the document that shows assets and liabilities on one day": "balance sheet",
        "the right to sell under another firm's brand for a fee": "franchise",
    },
)

PHILOSOPHERS = Facts(
    ("Which philosopher wrote {}?", "Who is the author of the philosophical work {}?"),
    {
        "The Republic": "Plato",
        "the Nicomachean Ethics": "Aristotle",
        "the Critique of Pure Reason": "Immanuel Kant",
        "Thus Spoke Zarathustra": "Friedrich Nietzsche",
        "Leviathan": "Thomas Hobbes",
        "the Meditations on First Philosophy": "René Descartes",
        "Being and Time": "Martin Heidegger",
        "Being and Nothingness": "Jean-Paul Sartre",
        "the Tractatus Logico-Philosophicus": "Ludwig Wittgenstein",
        "Utilitarianism": "John Stuart Mill",
        "A Treatise of Human Nature": "David Hume",
        "The Social Contract": "Jean-Jacques Rousseau",
        "The Second Sex": "Simone de Beauvoir",
        "A Theory of Justice": "John Rawls",
        "The World as Will and Representation": "Arthur Schopenhauer",
        "the Phenomenology of Spirit": "Georg Wilhelm Friedrich Hegel",
    },
)

SCHOOLS_OF_THOUGHT = Facts(
    ("In philosophy, what is the name of {}?", "Which philosophical term means {}?"),
    {
        "the study of knowledge": "epistemology",
        "the study of being": "ontology",
        "the study of beauty and art": "aesthetics",
        "the study of right and wrong": "ethics",
        "the view that only one's own mind is sure to exist": "solipsism",
        "the view that all knowledge comes from experience": "empiricism",
        "the view that an act is right if it makes the most people happy": "utilitarianism",
        "the view that every event is fixed by earlier causes": "determinism",
        "the view that mind and body are two different substances": "dualism",
        "the view that life has no meaning": "nihilism",
    },
)

FALLACIES = Facts(
    ("Which fallacy is it to {}?", "In logic, what is the mistake called when speakers {}?"),
    {
        "attack the speaker instead of the argument": "ad hominem",
        "refute a distorted version of the opponent's claim": "straw man",
        "assume what is to be proved": "begging the question",
        "claim that one small step must lead to disaster": "slippery slope",
        "offer only two options where there are more": "false dilemma",
        "bring up something irrelevant to distract": "red herring",
        "take what came before for the cause": "post hoc ergo propter hoc",
    },
)
