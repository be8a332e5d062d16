// Which class a member function belongs to: for nodes that call a member function of the object
// that they are embedded in.
#pragma once

namespace fulmar {

template <typename Method>
struct member_function;

/// Only what never throws is accepted: such nodes are called by event loops.
template <typename Owner, typename Result, typename... Arguments>
struct member_function<Result (Owner::*)(Arguments...) noexcept> {
    using owner = Owner;
};

template <typename Owner, typename Result, typename... Arguments>
struct member_function<Result (Owner::*)(Arguments...) const noexcept> {
    using owner = Owner;
};

/// The class of `Method`, a `&Owner::name`. The class may still be incomplete.
template <auto Method>
using owner_of = typename member_function<decltype(Method)>::owner;

}  // namespace fulmar
