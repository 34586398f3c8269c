// Lists what the plans named on the command line do, as an independent reader of Terraform's JSON plan
// representation understands them: one line a change, "FILE LIST ADDRESS ACTIONS [FURTHER...]".
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

func main() {
	for _, path := range os.Args[1:] {
		if err := list(path); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			os.Exit(1)
		}
	}
}

func list(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	// Reading checks the format's version.
	var plan tfjson.Plan
	if err := json.Unmarshal(text, &plan); err != nil {
		return err
	}
	if plan.PriorState == nil || plan.PriorState.Values == nil {
		return fmt.Errorf("no prior state")
	}
	if err := plan.PriorState.Validate(); err != nil {
		return err
	}
	if err := plan.Config.Validate(); err != nil {
		return err
	}
	name := filepath.Base(path)
	for _, one := range plan.ResourceChanges {
		show(name, "change", one)
	}
	for _, one := range plan.ResourceDrift {
		show(name, "drift", one)
	}
	for _, one := range plan.DeferredChanges {
		show(name, "deferred:"+one.Reason, one.ResourceChange)
	}
	for _, one := range plan.PriorState.Values.RootModule.Resources {
		fmt.Println(name, "prior", one.Address, one.Type)
	}
	for _, one := range plan.PlannedValues.RootModule.Resources {
		fmt.Println(name, "planned", one.Address, one.Type)
	}
	for _, one := range plan.Config.RootModule.Resources {
		fmt.Println(name, "configured", one.Address, len(one.DependsOn))
	}
	for _, one := range plan.RelevantAttributes {
		fmt.Println(name, "relevant", one.Resource, len(one.Attribute))
	}
	return nil
}

func show(file, kind string, one *tfjson.ResourceChange) {
	words := []string{file, kind, one.Address, verb(one.Change.Actions)}
	if one.ActionReason != tfjson.ActionReasonNone {
		words = append(words, string(one.ActionReason))
	}
	for _, path := range one.Change.ReplacePaths {
		var steps []string
		for _, step := range path.([]interface{}) {
			steps = append(steps, fmt.Sprint(step))
		}
		words = append(words, strings.Join(steps, "."))
	}
	fmt.Println(strings.Join(words, " "))
}

// verb asks the reader's own questions, so that an order or a pair of actions that it does not know shows.
func verb(actions tfjson.Actions) string {
	switch {
	case actions.NoOp():
		return "no-op"
	case actions.Create():
		return "create"
	case actions.Update():
		return "update"
	case actions.Delete():
		return "delete"
	case actions.DestroyBeforeCreate():
		return "delete-create"
	case actions.CreateBeforeDestroy():
		return "create-delete"
	}
	return fmt.Sprintf("unknown:%v", actions)
}
