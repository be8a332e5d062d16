// Options of a command made from the tables of core/fields: what REST takes, the tool can say.
#pragma once

#include "rest_client.hpp"

#include <fulmar/core/fields/field_compare.hpp>

#include <CLI/CLI.hpp>

#include <deque>
#include <string>
#include <vector>

namespace fulmar::cli {

/// Lets `option` take what the field may hold, as far as its form says it.
void check_value(CLI::Option& option, const core::field_facts& facts);

/// The options of one command. They must live as long as the command.
class field_options {
  public:
    using json = rest_client::json;

    /// What can be said when an object of `Spec` is made. What it must have is an argument of the
    /// command instead.
    template <typename Spec>
    void add_for_making(CLI::App& command) {
        for (const core::field<Spec>& one : core::fields_of<Spec>::all)
            if (one.facts.need != core::field_need::always &&
                one.facts.form != core::field_form::namespaces &&
                one.facts.form != core::field_form::objects)
                add(command, one.facts, one);
    }
    /// What can be changed of one that is there.
    template <typename Spec>
    void add_for_changing(CLI::App& command) {
        for (const core::field<Spec>& one : core::fields_of<Spec>::all)
            if (core::is_edited(one.facts.change) && one.facts.form != core::field_form::objects)
                add(command, one.facts, one);
    }

    /// The members that were said; leaves when one is no size.
    void fill(json& body) const;

  private:
    struct option {
        core::field_facts facts;
        bool flag = false;  ///< what the flag says when it is there
        std::vector<std::string> values = {};
        CLI::Option* said = nullptr;
    };

    template <typename Spec>
    void add(CLI::App& command, const core::field_facts& facts, const core::field<Spec>& one) {
        const auto* const flag = std::get_if<bool Spec::*>(&one.member);
        add(command, {.facts = facts, .flag = flag != nullptr && !(Spec{}.*(*flag))});
    }
    void add(CLI::App& command, option made);

    std::deque<option> options_;  // which do not move
};

}  // namespace fulmar::cli
