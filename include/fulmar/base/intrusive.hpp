// Boost.Intrusive lists whose misuse (double insertion, destruction while linked) is caught in
// every build.
#pragma once

#include <fulmar/base/assert.hpp>

#define BOOST_INTRUSIVE_SAFE_HOOK_DEFAULT_ASSERT    FULMAR_ASSERT
#define BOOST_INTRUSIVE_SAFE_HOOK_DESTRUCTOR_ASSERT FULMAR_ASSERT
#include <boost/intrusive/list.hpp>

namespace fulmar {

/// The hook to hold as a member of whatever sits in lists.
using list_hook =
    boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::safe_link>>;

/// A doubly linked list through member `Hook` of T: no allocation, unlinking in constant time,
/// size() counts.
template <typename T, list_hook T::*Hook>
using intrusive_list = boost::intrusive::list<T, boost::intrusive::member_hook<T, list_hook, Hook>,
                                              boost::intrusive::constant_time_size<false>>;

}  // namespace fulmar
