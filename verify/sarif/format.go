package sarif

// The types below are SARIF 2.1.0 as far as Write uses it, section 3 of the
// specification.

type logJSON struct {
	Schema  string    `json:"$schema"`
	Version string    `json:"version"`
	Runs    []runJSON `json:"runs"`
}

type runJSON struct {
	Tool        toolJSON         `json:"tool"`
	Invocations []invocationJSON `json:"invocations"`
	Results     []resultJSON     `json:"results"`
	Properties  map[string]any   `json:"properties,omitempty"`
}

type toolJSON struct {
	Driver driverJSON `json:"driver"`
}

type driverJSON struct {
	Name           string     `json:"name"`
	Version        string     `json:"version,omitempty"`
	InformationURI string     `json:"informationUri,omitempty"`
	Rules          []ruleJSON `json:"rules"`
}

type ruleJSON struct {
	ID    string       `json:"id"`
	Short *messageJSON `json:"shortDescription,omitempty"`
	Full  *messageJSON `json:"fullDescription,omitempty"`
	Help  *messageJSON `json:"help,omitempty"`
}

type messageJSON struct {
	Text string `json:"text"`
}

type invocationJSON struct {
	ExecutionSuccessful bool               `json:"executionSuccessful"`
	ExitCode            int                `json:"exitCode"`
	Notifications       []notificationJSON `json:"toolExecutionNotifications,omitempty"`
}

type notificationJSON struct {
	Level     string         `json:"level"`
	Message   messageJSON    `json:"message"`
	Locations []locationJSON `json:"locations,omitempty"`
}

type resultJSON struct {
	RuleID              string            `json:"ruleId"`
	RuleIndex           int               `json:"ruleIndex"`
	Kind                string            `json:"kind"`
	Level               string            `json:"level"`
	Message             messageJSON       `json:"message"`
	Locations           []locationJSON    `json:"locations,omitempty"`
	Related             []locationJSON    `json:"relatedLocations,omitempty"`
	PartialFingerprints map[string]string `json:"partialFingerprints"`
	Suppressions        []suppressionJSON `json:"suppressions,omitempty"`
	Properties          map[string]any    `json:"properties,omitempty"`
}

type suppressionJSON struct {
	Kind          string `json:"kind"`
	Status        string `json:"status"`
	Justification string `json:"justification"`
}

type locationJSON struct {
	Physical physicalJSON `json:"physicalLocation"`
}

type physicalJSON struct {
	Artifact artifactJSON `json:"artifactLocation"`
	Region   *regionJSON  `json:"region,omitempty"`
}

type artifactJSON struct {
	URI string `json:"uri"`
}

type regionJSON struct {
	StartLine int `json:"startLine"`
}
